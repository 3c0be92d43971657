import {
  add,
  broadcastTo,
  cast,
  FinegrainError,
  gradient,
  graph,
  type HostTensor,
  hostTensor,
  input,
  type ListGraph,
  mul,
  not,
  reduceSum,
  reshape,
  type Shape,
  sameShape,
  scalar,
  size,
  slice,
  type Tensor,
} from "@finegrain/graph";
import { type Context, evaluation, openLedger, type RandomSource, training } from "@finegrain/nn";
import { Arguments } from "./arguments.ts";
import { type GoldenCase, tensorOf, Unsupported } from "./case.ts";
import { type Allowance, largestOf, type Trial } from "./checks.ts";

/** Where a layer's weights come from, in the order and layout of the original. */
export interface WeightSource {
  /** The next weight. `name` is without its "weights."; a source in order ignores it. */
  take(name: string): Tensor;
  /** Whether a weight of this name is there to be taken. */
  has(name: string): boolean;
}

/** The weights whose names begin with `prefix`, by the rest of their names. */
export const under = (source: WeightSource, prefix: string): WeightSource => ({
  take: (name) => source.take(`${prefix}${name}`),
  has: (name) => source.has(`${prefix}${name}`),
});

/** How far a family's outputs and gradients may be from what is stored, as its README says. */
export interface Tolerances {
  readonly output: Allowance;
  /** `largest` is the largest gradient of the case. */
  gradient(largest: number): Allowance;
}

/** A tensor of the graph that the file stores too, and how far the two may be apart. */
export interface Computed {
  readonly value: Tensor;
  readonly allowed: Allowance;
  /** What is expected, where it is a part of the stored tensor. */
  readonly expected?: HostTensor;
}

/** How a family of cases calls what a file holds. */
export interface Naming {
  /** What a weight that an adapter asks for may be called in the file, without its "weights.". */
  weight(name: string): readonly string[];
  /** The stored draws, in the order in which layers make them. */
  draws(stored: readonly string[]): readonly string[];
}

/** Weights are called as adapters call them, and draws numbered. */
const numberedDraws: Naming = {
  weight: (name) => [name],
  draws: (stored) => [...stored].sort((a, b) => numberOf(a) - numberOf(b)),
};

const numberOf = (draw: string): number => Number(draw.slice(draw.lastIndexOf(".") + 1));

/** A case of a layer as its adapter sees it: stored tensors become inputs of one graph, in their own layout. */
export class Given implements WeightSource {
  readonly arguments: Arguments;
  readonly mode: "eval" | "train" | "predict";
  readonly context: Context;
  readonly #case: GoldenCase;
  readonly #tolerances: Tolerances;
  readonly #naming: Naming;
  readonly #draws: readonly string[];
  readonly #inputs = new Map<string, Tensor>();
  readonly #compared = new Map<string, Computed>();
  readonly #ledger = openLedger();
  #drawn = 0;

  /** @param options the JSON of the layer's arguments. */
  constructor(golden: GoldenCase, options: string | undefined, tolerances: Tolerances, naming = numberedDraws) {
    this.#case = golden;
    this.#tolerances = tolerances;
    this.#naming = naming;
    this.#draws = naming.draws([...golden.tensors.keys()].filter((key) => key.startsWith("random.")));
    this.arguments = Arguments.parse(options);
    const mode = golden.metadata.mode ?? "eval";
    if (mode !== "eval" && mode !== "train" && mode !== "predict") throw new Unsupported(`the mode "${mode}"`);
    this.mode = mode;
    this.context = mode === "train" ? training(this.#random(), this.#ledger) : { ...evaluation, ledger: this.#ledger };
  }

  get metadata(): GoldenCase["metadata"] {
    return this.#case.metadata;
  }

  has(name: string): boolean {
    return this.#storedWeight(name) !== undefined;
  }

  take(name: string): Tensor {
    const stored = this.#storedWeight(name);
    if (stored === undefined) throw new Unsupported(`a case without the weight ${name}`);
    return this.tensor(stored);
  }

  #storedWeight(name: string): string | undefined {
    return this.#naming
      .weight(name)
      .map((spelt) => `weights.${spelt}`)
      .find((stored) => this.#case.tensors.has(stored));
  }

  /** Names of the stored weights, without their "weights.". */
  weightNames(): string[] {
    return [...this.#case.tensors.keys()]
      .filter((key) => key.startsWith("weights."))
      .map((key) => key.slice("weights.".length))
      .sort();
  }

  shapeOf(weight: string): Shape {
    return tensorOf(this.#case, `weights.${weight}`).shape;
  }

  /** A stored tensor as an input of the graph. */
  tensor(name: string): Tensor {
    const known = this.#inputs.get(name);
    if (known) return known;
    const { shape, dtype } = tensorOf(this.#case, name);
    const fresh = input(shape, dtype, name);
    this.#inputs.set(name, fresh);
    return fresh;
  }

  hasTensor(name: string): boolean {
    return this.#case.tensors.has(name);
  }

  /** A stored tensor's numbers. */
  stored(name: string): HostTensor {
    return tensorOf(this.#case, name);
  }

  /** The auxiliary losses that the layers left so far, by our names: weighted, each summed over the layers. */
  get losses(): ReadonlyMap<string, Tensor> {
    return this.#ledger.losses;
  }

  /** An input of the layer, of which there may be only one. */
  input(number = 0): Tensor {
    return this.tensor(this.#among("input", number));
  }

  /** What the file calls the input, output or cotangent of this number, which has none where there is only one. */
  #among(kind: string, number: number): string {
    return number === 0 && this.hasTensor(kind) ? kind : `${kind}.${number}`;
  }

  /** Compare a value with what the file stores under `name`, if it does. */
  compare(name: string, value: () => Tensor): void {
    if (this.hasTensor(name)) this.#compared.set(name, { value: value(), allowed: this.#tolerances.output });
  }

  /** As {@link compare}, with what is stored of the first examples and the last token: [examples, time, ...] against [batch, ...]. */
  compareLast(name: string, value: () => Tensor): void {
    if (!this.hasTensor(name)) return;
    const { dtype, shape, data } = this.stored(name);
    const [examples, time, ...rest] = shape as [number, number, ...number[]];
    const width = size(rest);
    const last = Array.from({ length: examples }, (_, i) => ((i + 1) * time - 1) * width);
    const expected = hostTensor(
      dtype,
      [examples, ...rest],
      last.flatMap((start) => [...data.slice(start, start + width)]),
    );
    const computed = slice(value(), { starts: [0, ...rest.map(() => 0)], ends: [examples, ...rest] });
    this.#compared.set(name, { value: computed, allowed: this.#tolerances.output, expected });
  }

  /** The uniform numbers that the original drew, in its order. What it kept in dropout (1) is as a draw of 0, what not as one of 1. */
  #random(): RandomSource {
    return {
      uniform: (shape) => {
        const name = this.#draws[this.#drawn++];
        if (name === undefined)
          throw new FinegrainError(`the file has no number ${this.#drawn} of the draws, [${shape}]`);
        const stored = tensorOf(this.#case, name);
        if (size(stored.shape) !== size(shape))
          throw new FinegrainError(`the draw "${name}" is [${stored.shape}], expected [${shape}]`);
        const drawn = this.tensor(name);
        const draw = drawn.dtype === "bool" ? cast(not(drawn), "float32") : drawn;
        return sameShape(draw.shape, shape) ? draw : reshape(draw, shape);
      },
    };
  }

  /**
   * The graph of what the layer returns, of `others` and, where the file has cotangents, of the gradients that it stores.
   *
   * @param given the output, or all of several.
   * @param others what else the file stores, by its name there.
   * @throws Unsupported where an argument, a weight, an input or an output was never read, FinegrainError where a draw was not.
   */
  trial(given: Tensor | readonly Tensor[], others: ReadonlyMap<string, Computed> = new Map()): Trial {
    const { tensors, name } = this.#case;
    const outputs = "op" in given ? [given] : given;
    const { output: ofOutput, gradient: ofGradient } = this.#tolerances;
    const names = [...tensors.keys()].filter((key) => key.startsWith("grad."));
    const allowed = ofGradient(Math.max(0, ...names.map((key) => largestOf(this.stored(key)))));
    const ofCotangents = names.length > 0 ? this.#underCotangents(outputs) : undefined;
    const results = new Map<string, Computed>([
      ...outputs.map((value, i): [string, Computed] => [this.#among("output", i), { value, allowed: ofOutput }]),
      ...(ofCotangents ? this.gradients("grad.", ofCotangents, allowed) : []),
      ...this.#compared,
      ...others,
    ]);
    this.#expectAllUsed(results);
    return {
      graph: this.#graph(
        name,
        [...results.values()].map(({ value }) => value),
      ),
      values: [...this.#inputs.keys()].map((key) => this.stored(key)),
      checks: [...results].map(([name, { allowed, expected = this.stored(name) }]) => ({ name, expected, allowed })),
    };
  }

  #expectAllUsed(results: ReadonlyMap<string, Computed>): void {
    const { tensors } = this.#case;
    this.arguments.expectAllRead(this.mode);
    const unread = [...tensors.keys()].find((key) => /^(weights|input)(\.|$)/.test(key) && !this.#inputs.has(key));
    if (unread !== undefined) throw new Unsupported(`the ${unread.replace(/^weights\./, "weight ")}`);
    const missing = [...tensors.keys()].find((key) => /^(output|predict)(\.|$)/.test(key) && !results.has(key));
    if (missing !== undefined) throw new Unsupported(`the result ${missing}`);
    // Trax draws in every mode, and multiplies by 0 outside training.
    const left = this.mode === "train" ? this.#draws[this.#drawn] : undefined;
    if (left !== undefined) throw new FinegrainError(`the draw "${left}" was not used`);
  }

  /** The gradients of `loss` that the file stores under names that begin with `prefix`. */
  gradients(prefix: string, loss: Tensor, allowed: Allowance): [name: string, computed: Computed][] {
    const names = [...this.#case.tensors.keys()].filter((key) => key.startsWith(prefix));
    const values = gradient(
      loss,
      names.map((name) => this.tensor(name.slice(prefix.length))),
    );
    return names.map((name, i) => [name, { value: values[i]!, allowed }]);
  }

  /** The sum of all outputs times their cotangents; undefined where the file has none. */
  #underCotangents(outputs: readonly Tensor[]): Tensor | undefined {
    const terms = outputs.flatMap((output, i) => {
      const name = this.#among("cotangent", i);
      if (!this.hasTensor(name)) return [];
      return [reduceSum(mul(output, this.tensor(name)), { axes: output.shape.map((_, axis) => axis) })];
    });
    return terms.length > 0 ? terms.reduce((sum, term) => add(sum, term)) : undefined;
  }

  #graph(name: string, outputs: readonly Tensor[]): ListGraph {
    return graph({ name, inputs: [...this.#inputs.values()], outputs });
  }
}

/** The weights of a whole model, which are numbered in the order in which the original holds them. */
export function numbered(given: Given): WeightSource & { left(): number } {
  const names = given.weightNames();
  let next = 0;
  return {
    take(name) {
      const number = names[next++];
      if (number === undefined) throw new Unsupported(`a model without the weight ${name}`);
      return given.take(number);
    },
    has: () => next < names.length,
    left: () => names.length - next,
  };
}

/** A bias that the original was made without. */
export const zeros = (shape: Shape): Tensor => broadcastTo(scalar(0), shape);
