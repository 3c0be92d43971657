import {
  atOnce,
  type Donations,
  type Graph,
  optimizing,
  rewriting,
  size,
  type Tensor,
  type Turns,
} from "@finegrain/graph";
import { buffersToCopy, isLargeProduct } from "../analysis/product.ts";
import type { ProgramBuffer } from "../ir/buffer.ts";
import { Domain } from "../ir/domain.ts";
import { literal } from "../ir/expression.ts";
import { SplitLoop } from "../ir/index-form.ts";
import type { Kernel, LoopKernel, Reduction } from "../ir/kernel.ts";
import type { Program } from "../ir/program.ts";
import { builders, buildLoop, type Destination, type Tools, wholly } from "./builders.ts";
import { collapse } from "./collapse.ts";
import { factorScales } from "./dequantize.ts";
import { attrsOf, Inliner, int4Ops, lowersWhole, NeedsBuffer } from "./inline.ts";
import { NoPlace, placesIn, rearrangedBase } from "./part.ts";
import { type Placement, place, storedBase } from "./placement.ts";
import { reducedExtents, reductions } from "./reductions.ts";
import { wantedOf } from "./sequence-ends.ts";
import { splitReduction } from "./split-reductions.ts";

export interface FuseOptions {
  /**
   * Copy an operand of a product whose elements are picked one by one, or lie apart: for who reads memory in vectors. Default true; a device
   * whose lanes read each their own element has no use for it.
   */
  readonly copyOperands?: boolean;
  /**
   * Compute what only becomes a part of a larger value (of a concatenation, a cache) in its place there, and copy nothing: for who pays more for
   * a kernel than for results that lie apart. Default false.
   */
  readonly computeParts?: boolean;
  /** Make kernels of their own of weights of 4 bits and of products with them. Default false: loops, which read them as they are decomposed. */
  readonly int4?: boolean;
}

/** Turn a graph into kernels. @param donate outputs that may overwrite inputs. */
export const fuse = (source: Graph, donate?: Donations, options?: FuseOptions): Program =>
  atOnce(fusing(source, donate, options));

/** The same, in turns. */
export function* fusing(source: Graph, donate: Donations = [], options: FuseOptions = {}): Turns<Program> {
  const whole = options.int4 ? new Set([...lowersWhole, ...int4Ops]) : lowersWhole;
  const graph = yield* rewriting(yield* optimizing(source, whole), splitReduction);
  return yield* new Fusion(graph, donate, options).program();
}

class Fusion {
  readonly #graph: Graph;
  readonly #copyOperands: boolean;
  readonly #placement: Placement;
  /** The paddings that share a buffer with what they are added to. */
  readonly #paddings: ReadonlyMap<Tensor, Tensor>;
  readonly #buffers = new Map<Tensor, ProgramBuffer>();
  readonly #kernels: Kernel[] = [];
  readonly #inputs: ProgramBuffer[];
  readonly #outputs: ProgramBuffer[];
  readonly #users = new Map<Tensor, number>();
  /** The value that each output buffer is made for, where a kernel can make it there. */
  readonly #outputOf = new Map<Tensor, ProgramBuffer>();

  constructor(graph: Graph, donate: Donations, { copyOperands = true, computeParts = false }: FuseOptions) {
    this.#graph = graph;
    this.#copyOperands = copyOperands;
    this.#placement = place(graph, { computeParts });
    this.#paddings = new Map(Array.from(this.#placement.beginningOf, ([padded, beginning]) => [beginning, padded]));
    for (const node of graph.nodes)
      for (const x of new Set(node.inputs)) this.#users.set(x, (this.#users.get(x) ?? 0) + 1);
    this.#inputs = graph.inputs.map((x, index) => bufferFor(x, { kind: "input", index }));
    for (const [i, x] of graph.inputs.entries()) this.#buffers.set(x, this.#inputs[i]!);
    this.#outputs = graph.outputs.map((x, index) => this.#output(x, index, donate));
  }

  /** The buffer of an output: a donated input's where it is written into in part, else its own. */
  #output(x: Tensor, index: number, donate: Donations): ProgramBuffer {
    const base = storedBase(x);
    const donated = donate.find(([, output]) => output === index);
    const input = donated && this.#graph.inputs[donated[0]];
    const inPlace = input && base.op === "updateSlice" && base.inputs[0] === input && this.#users.get(input) === 1;
    const free = this.#placement.stored.has(base) && !this.#outputOf.has(base);
    const buffer = inPlace && free ? this.#buffers.get(input)! : bufferFor(x, { kind: "output", index });
    if (free) this.#outputOf.set(base, buffer);
    return buffer;
  }

  *program(): Turns<Program> {
    const { stored, parts } = this.#placement;
    for (const x of this.#graph.nodes) {
      if (stored.has(x) && !parts.has(x) && !this.#bufferOf(x)) this.#build(x);
      yield;
    }
    for (const [i, x] of this.#graph.outputs.entries()) {
      const to = this.#outputs[i]!;
      if (this.#outputOf.get(storedBase(x)) !== to) this.#loop(x, undefined, { to, at: wholly(x) });
      yield;
    }
    const { name } = this.#graph;
    return { name, kernels: this.#kernels, inputs: this.#inputs, outputs: this.#outputs, graph: this.#graph };
  }

  #bufferOf = (x: Tensor): ProgramBuffer | undefined => {
    const known = this.#buffers.get(x);
    if (known) return known;
    if (x.op === "reshape") return this.#bufferOf(x.inputs[0]!);
    if (x.op !== "constant") return undefined;
    const buffer = bufferFor(x, { kind: "constant", data: attrsOf("constant", x).data });
    this.#buffers.set(x, buffer);
    return buffer;
  };

  /** The value in a buffer of its own, row-major, whatever else was decided about it. */
  #stored(x: Tensor): ProgramBuffer {
    return this.#bufferOf(x) ?? this.#build(x);
  }

  #build(x: Tensor): ProgramBuffer {
    const beginning = this.#placement.beginningOf.get(x);
    const within = beginning && this.#stored(beginning);
    const to = within ?? this.#outputOf.get(x) ?? bufferFor(this.#paddings.get(x) ?? x, { kind: "temporary" });
    const built = (builders[x.op] ?? buildLoop)(x, to, this.#tools);
    this.#buffers.set(x, built);
    return built;
  }

  readonly #tools: Tools = {
    stored: (x) => this.#stored(x),
    bufferOf: this.#bufferOf,
    add: (kernel) => this.#kernels.push(kernel),
    loop: (x, to) => this.#loop(x, this.#placement.epilogueOf.get(x), { to, at: wholly(x) }),
    part: (x, to, at) => this.#part(x, { to, at }),
    inPlace: (x) => {
      const buffer = this.#bufferOf(x);
      const alone = this.#users.get(x) === 1 && this.#buffers.has(x) && !this.#placement.beginningOf.has(x);
      return buffer?.place.kind === "temporary" && alone ? buffer : undefined;
    },
  };

  /** Compute x into a part of a buffer: what it is made of, where that is for this part alone and loops as well there; else a copy. */
  #part(x: Tensor, target: Destination): void {
    const base = rearrangedBase(x);
    const direct = this.#placement.parts.has(base) && !this.#bufferOf(base) ? this.#direct(x, base, target) : undefined;
    if (direct) this.#kernels.push(direct);
    else this.#loop(x, undefined, target);
  }

  /** The kernel that computes `base` at its places in a part; undefined where it would have more loops so. Then it has a buffer. */
  #direct(x: Tensor, base: Tensor, { to, at }: Destination): LoopKernel | undefined {
    const first = this.#placement.epilogueOf.get(base);
    const alone = this.#kernel(base, first, { to, at: wholly(base) });
    try {
      const there = this.#kernel(base, first, {
        to,
        at: (places, inliner) => at(placesIn(x, places, inliner), inliner),
      });
      if (there && alone && there.extents.length <= alone.extents.length) return there;
    } catch (reason) {
      if (!(reason instanceof NoPlace)) throw reason;
    }
    this.#build(base);
    return undefined;
  }

  /** A loop kernel that computes x, with the reduction that it is or ends. */
  #loop(x: Tensor, first: Tensor | undefined, target: Destination): void {
    const kernel = this.#kernel(x, first, target);
    if (kernel) this.#kernels.push(kernel);
  }

  /** @returns undefined where x has no elements. */
  #kernel(x: Tensor, first: Tensor | undefined, target: Destination): LoopKernel | undefined {
    if (size(x.shape) === 0) return undefined;
    const reduced = this.#bufferOf(x) ? undefined : (first ?? (x.op in reductions ? x : undefined));
    const domain = new Domain([...x.shape, ...(reduced ? reducedExtents(reduced) : [])]);
    for (;;) {
      try {
        const kernel = collapse(factorScales(this.#attempt(x, reduced, domain, target)));
        const operand =
          reduced &&
          this.#copyOperands &&
          (this.#operandToCopy(reduced, kernel) ?? this.#valueToStore(x, reduced, kernel));
        if (operand) throw new NeedsBuffer(operand);
        return kernel;
      } catch (reason) {
        if (reason instanceof SplitLoop) domain.split(reason);
        else if (reason instanceof NeedsBuffer && this.#buffers.get(reason.tensor) === undefined)
          this.#build(reason.tensor);
        else throw reason;
      }
    }
  }

  #operandToCopy(reduced: Tensor, kernel: LoopKernel): Tensor | undefined {
    // A buffer of its own lies as well as can be.
    const free = reduced.inputs.filter((x) => !this.#bufferOf(x));
    const operands = buffersToCopy(kernel).map((buffer) => free.find((x) => this.#reads(x, buffer)));
    return operands.find((x) => x !== undefined);
  }

  /**
   * A value in the epilogue of a product, itself without a buffer, that is read in a way which keeps loops apart that the product
   * would walk as one: rows picked by tokens that lie in a wider matrix.
   */
  #valueToStore(x: Tensor, reduced: Tensor, kernel: LoopKernel): Tensor | undefined {
    if (!isLargeProduct(kernel)) return undefined;
    const alone = collapse({ ...kernel, result: literal(0, "float32") });
    return alone.extents.length < kernel.extents.length ? this.#besides(x, reduced) : undefined;
  }

  /** The first value without a buffer that x is made of besides the reduction. */
  #besides(x: Tensor, reduced: Tensor): Tensor | undefined {
    if (x === reduced || this.#bufferOf(x)) return undefined;
    if (!this.#leadsTo(x, reduced)) return size(x.shape) > 1 ? x : undefined;
    for (const part of x.inputs) {
      const found = this.#besides(part, reduced);
      if (found) return found;
    }
    return undefined;
  }

  #leadsTo(x: Tensor, reduced: Tensor): boolean {
    return x === reduced || (!this.#bufferOf(x) && x.inputs.some((part) => this.#leadsTo(part, reduced)));
  }

  /** Whether a value that has no buffer is made of what this one holds. */
  #reads(x: Tensor, buffer: ProgramBuffer): boolean {
    const own = this.#bufferOf(x);
    return own ? own === buffer : x.inputs.some((part) => this.#reads(part, buffer));
  }

  #attempt(x: Tensor, reduced: Tensor | undefined, domain: Domain, { to, at }: Destination): LoopKernel {
    const { extents, places } = domain;
    const parallel = domain.loopsOf(x.shape.length);
    const inliner = new Inliner({ extents, reduced, bufferOf: this.#bufferOf });
    const own = places.slice(0, x.shape.length);
    const reduction: Reduction | undefined = reduced && {
      op: reductions[reduced.op]!.op,
      extents: extents.slice(parallel),
      ...reductions[reduced.op]!.body(reduced, own, places.slice(x.shape.length), inliner),
    };
    const result = inliner.element(x, own);
    const wanted = reduced && wantedOf(x, reduced, own, inliner);
    return {
      kind: "loop",
      name: nameOf(x, reduced),
      extents: extents.slice(0, parallel),
      ...(reduction && { reduction: { ...reduction, ...(wanted && { wanted }) } }),
      result,
      to,
      at: at(own, inliner),
    };
  }
}

const nameOf = (x: Tensor, reduced: Tensor | undefined): string =>
  !reduced ? x.op : reduced === x ? describe(x) : `${describe(reduced)} then ${x.op}`;
const describe = (x: Tensor): string => (x.op === "einsum" ? `einsum ${attrsOf("einsum", x)}` : x.op);

const bufferFor = ({ dtype, shape }: Tensor, place: ProgramBuffer["place"]): ProgramBuffer => ({
  dtype,
  size: size(shape),
  place,
});
