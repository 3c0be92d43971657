import {
  broadcastTo,
  FinegrainError,
  gradient,
  graph,
  type HostTensor,
  input,
  type ListGraph,
  mul,
  reduceSum,
  reshape,
  type Shape,
  sameShape,
  scalar,
  size,
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
}

/** A case of a layer as its adapter sees it: stored tensors become inputs of one graph, in their own layout. */
export class Given implements WeightSource {
  readonly arguments: Arguments;
  readonly mode: "eval" | "train" | "predict";
  readonly context: Context;
  readonly #case: GoldenCase;
  readonly #tolerances: Tolerances;
  readonly #inputs = new Map<string, Tensor>();
  readonly #ledger = openLedger();
  #drawn = 0;

  /** @param options the JSON of the layer's arguments. */
  constructor(golden: GoldenCase, options: string | undefined, tolerances: Tolerances) {
    this.#case = golden;
    this.#tolerances = tolerances;
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
    return this.#case.tensors.has(`weights.${name}`);
  }

  take(name: string): Tensor {
    if (!this.has(name)) throw new Unsupported(`a case without the weight ${name}`);
    return this.tensor(`weights.${name}`);
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

  /** The only input of the layer. */
  input(): Tensor {
    return this.tensor("input");
  }

  /** The uniform numbers that the original drew, in its order. */
  #random(): RandomSource {
    return {
      uniform: (shape) => {
        const name = `random.${this.#drawn++}`;
        const stored = this.#case.tensors.get(name);
        if (!stored) throw new FinegrainError(`a draw of [${shape}] is missing: the file has no tensor "${name}"`);
        if (size(stored.shape) !== size(shape))
          throw new FinegrainError(`the draw "${name}" is [${stored.shape}], expected [${shape}]`);
        const draw = this.tensor(name);
        return sameShape(draw.shape, shape) ? draw : reshape(draw, shape);
      },
    };
  }

  /**
   * The graph of `output`, of `others` and, where the file has a cotangent, of the gradients that it stores.
   *
   * @param others what else the file stores, by its name there.
   * @throws Unsupported where an argument or a weight was never read, FinegrainError where a draw was not.
   */
  trial(output: Tensor, others: ReadonlyMap<string, Computed> = new Map()): Trial {
    const { tensors, name } = this.#case;
    this.arguments.expectAllRead(this.mode);
    const unread = this.weightNames().find((weight) => !this.#inputs.has(`weights.${weight}`));
    if (unread !== undefined) throw new Unsupported(`the weight ${unread}`);
    // Trax draws in every mode, and multiplies by 0 outside training.
    if (this.mode === "train" && tensors.has(`random.${this.#drawn}`))
      throw new FinegrainError(`the draw "random.${this.#drawn}" was not used`);

    const { output: ofOutput, gradient: ofGradient } = this.#tolerances;
    const names = [...tensors.keys()].filter((key) => key.startsWith("grad."));
    const allowed = ofGradient(Math.max(0, ...names.map((key) => largestOf(this.stored(key)))));
    const ofCotangent =
      this.#case.tensors.has("cotangent") && names.length > 0 ? this.#underCotangent(output) : undefined;
    const results = new Map<string, Computed>([
      ["output", { value: output, allowed: ofOutput }],
      ...(ofCotangent ? this.gradients("grad.", ofCotangent, allowed) : []),
      ...others,
    ]);
    return {
      graph: this.#graph(
        name,
        [...results.values()].map(({ value }) => value),
      ),
      values: [...this.#inputs.keys()].map((key) => this.stored(key)),
      checks: [...results].map(([key, { allowed }]) => ({ name: key, expected: this.stored(key), allowed })),
    };
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

  #underCotangent(output: Tensor): Tensor {
    return reduceSum(mul(output, this.tensor("cotangent")), { axes: output.shape.map((_, axis) => axis) });
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
