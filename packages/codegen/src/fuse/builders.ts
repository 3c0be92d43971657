import { catalog, size, type Tensor, type TensorType } from "@finegrain/graph";
import type { ProgramBuffer } from "../ir/buffer.ts";
import { addIndex, type Index, shiftIndex } from "../ir/index-form.ts";
import type { Kernel } from "../ir/kernel.ts";
import { attrsOf, flatIndex, type Inliner } from "./inline.ts";

/** A kernel's output: where the elements of its domain go. */
export interface Destination {
  readonly to: ProgramBuffer;
  at(places: readonly Index[], inliner: Inliner): Index;
}

/** Every element at its own place, row-major. */
export const wholly =
  ({ shape }: Tensor): Destination["at"] =>
  (places, inliner) =>
    flatIndex(shape, places, inliner.loops);

/** What the builders of kernels need of a fusion. */
export interface Tools {
  stored(x: Tensor): ProgramBuffer;
  /** The buffer that has the value, if one has. */
  bufferOf(x: Tensor): ProgramBuffer | undefined;
  add(kernel: Kernel): void;
  /** Compute x into a buffer. */
  loop(x: Tensor, to: ProgramBuffer): void;
  /** Compute x into a part of a buffer. */
  part(x: Tensor, to: ProgramBuffer, at: Destination["at"]): void;
  /** The buffer of a value that nothing else reads, to be written over. */
  inPlace(x: Tensor): ProgramBuffer | undefined;
}

type Builder = (x: Tensor, to: ProgramBuffer, tools: Tools) => ProgramBuffer;

/** The kernel of an op that is a loop, or ends one that reduces. */
export const buildLoop: Builder = (x, to, tools) => {
  tools.loop(x, to);
  return to;
};

const zeros = ({ dtype, shape }: TensorType): Tensor =>
  catalog.broadcastTo(catalog.constant({ dtype, shape: [], data: [0] }), shape);

/** The buffers of weights of 4 bits; of scales and minima as they are stored. */
function int4Weights(packed: readonly Tensor[], tools: Tools) {
  const isHalf = (x: Tensor) => x.op === "cast" && x.inputs[0]!.dtype === "float16" && tools.bufferOf(x.inputs[0]!);
  const asStored = (x: Tensor): Tensor => (x.op === "reshape" || isHalf(x) ? asStored(x.inputs[0]!) : x);
  const [words, scale, min] = packed.map((x) => tools.stored(asStored(x))) as [
    ProgramBuffer,
    ProgramBuffer,
    ProgramBuffer,
  ];
  return { words, scale, min };
}

/** What products with weights of 4 bits have in common, however these lie. */
function int4Operands(x: Tensor, tools: Tools) {
  const [vectors, ...packed] = x.inputs as [Tensor, Tensor, Tensor, Tensor];
  const weights = int4Weights(packed, tools);
  const [count] = vectors.shape as [number];
  return { name: x.op, x: tools.stored(vectors), ...weights, count };
}

/** Ops whose value is made by kernels of another kind, or by several; all others are {@link buildLoop}. */
export const builders: Readonly<Record<string, Builder>> = {
  pad(x, to, tools) {
    const { low, high } = attrsOf("pad", x);
    const source = x.inputs[0]!;
    if (tools.bufferOf(source) === to) {
      const { dtype, shape } = source;
      tools.part(zeros({ dtype, shape: [high[0]!, ...shape.slice(1)] }), to, (places, { loops }) =>
        flatIndex(x.shape, places.with(0, shiftIndex(places[0]!, shape[0]!)), loops),
      );
      return to;
    }
    tools.loop(zeros(x), to);
    tools.part(source, to, (places, { loops }) =>
      flatIndex(
        x.shape,
        places.map((place, axis) => shiftIndex(place, low[axis]!)),
        loops,
      ),
    );
    return to;
  },
  concat(x, to, tools) {
    const { axis } = attrsOf("concat", x);
    let start = 0;
    for (const part of x.inputs) {
      const from = start;
      tools.part(part, to, (places, { loops }) =>
        flatIndex(x.shape, places.with(axis, shiftIndex(places[axis]!, from)), loops),
      );
      start += part.shape[axis]!;
    }
    return to;
  },
  updateSlice(x, to, tools) {
    const [whole, update, start] = x.inputs as [Tensor, Tensor, Tensor];
    const { axis } = attrsOf("updateSlice", x);
    let into = to;
    if (to.place.kind === "temporary" && tools.inPlace(whole)) into = tools.inPlace(whole)!;
    else if (to.place.kind !== "input") tools.loop(whole, to);
    tools.part(update, into, (places, inliner) => {
      const from = inliner.computed(start, [], x.shape[axis]! - update.shape[axis]! + 1);
      return flatIndex(x.shape, places.with(axis, addIndex(places[axis]!, from)), inliner.loops);
    });
    return into;
  },
  scatterAdd(x, to, tools) {
    const [indices, updates] = x.inputs as [Tensor, Tensor];
    const { rows } = attrsOf("scatterAdd", x);
    const count = size(indices.shape);
    const width = size(x.shape.slice(1));
    tools.add({
      kind: "scatterAdd",
      name: x.op,
      indices: tools.stored(indices),
      updates: tools.stored(updates),
      count,
      rows,
      width,
      to,
    });
    return to;
  },
  topK(x, to, tools) {
    const values = x.inputs[0]!;
    const length = values.shape.at(-1)!;
    const { k } = attrsOf("topK", x);
    tools.add({
      kind: "topK",
      name: x.op,
      from: tools.stored(values),
      rows: size(values.shape) / length,
      length,
      k,
      to,
    });
    return to;
  },
  fromInt4(x, to, tools) {
    const weights = int4Weights(x.inputs, tools);
    tools.add({ kind: "fromInt4", name: x.op, ...weights, groups: weights.scale.size, to });
    return to;
  },
  int4Product(x, to, tools) {
    const [rows, groups] = x.inputs[2]!.shape as [number, number];
    tools.add({ kind: "int4Product", ...int4Operands(x, tools), rows, groups, to });
    return to;
  },
  int4InputsProduct(x, to, tools) {
    const [groups, rows] = x.inputs[2]!.shape as [number, number];
    tools.add({ kind: "int4InputsProduct", ...int4Operands(x, tools), rows, groups, to });
    return to;
  },
  randomBits(x, to, tools) {
    const [key, counter] = x.inputs as [Tensor, Tensor];
    tools.add({ kind: "randomBits", name: x.op, key: tools.stored(key), counter: tools.stored(counter), to });
    return to;
  },
};
