import { FinegrainError, type HostTensor, INT4_GROUP, INT4_WORD, type Shape, size } from "@finegrain/graph";
import { leaves, type ModelConfig, type PackedInt4, type Param, scalingLM } from "@finegrain/nn";
import { EXPERT, type Naming } from "./naming.ts";

/*
 * Which numbers of a model's tensors are which of the tensors in files of others. Both sides have the same matrices, `outputs` by `inputs`:
 * they differ in which of the two is a row, in what is a tensor of its own, and in the order of a head's features.
 */

/** Where a matrix is within a tensor: its first number, and how far the next output and the next input are. */
export interface Place {
  readonly offset: number;
  readonly output: number;
  readonly input: number;
}

/** A matrix that ours and theirs have both. A vector is one of a single input. */
export interface Piece {
  readonly ours: string;
  readonly theirs: string;
  readonly outputs: number;
  readonly inputs: number;
  readonly inOurs: Place;
  readonly inTheirs: Place;
  /** Outputs of a head whose pairs are neighbours there; 0 where outputs have the order that they have here. */
  readonly headWidth: number;
}

/** A tensor and the pieces that it is made of. */
export interface Laid {
  readonly shape: Shape;
  readonly pieces: readonly Piece[];
}

export interface TensorLayout {
  readonly ours: ReadonlyMap<string, Laid>;
  readonly theirs: ReadonlyMap<string, Laid>;
}

/** What is known of a tensor of ours by itself. */
interface Own {
  readonly path: string;
  readonly shape: Shape;
  /** Of theirs, which may have {@link EXPERT} in it. */
  readonly name: string;
  /** 0 where it is no stack of matrices. */
  readonly experts: number;
  readonly outputs: number;
  readonly inputs: number;
  readonly inputsFirst: { readonly ours: boolean; readonly theirs: boolean };
  readonly headWidth: number;
}

/**
 * The tensors of a model, and where their numbers are in files that call them as `naming` says.
 *
 * @param headWidth features of a head.
 * @throws FinegrainError where the model has a tensor that has no name there.
 */
export function tensorLayout(config: ModelConfig, naming: Naming, headWidth: number): TensorLayout {
  const owns = leaves<Param>(scalingLM(config).params).map(([path, { shape }]) =>
    ownOf(path, shape, naming, headWidth),
  );
  const [ours, theirs] = [new Map<string, Laid>(), new Map<string, Laid>()];
  for (const sharing of groupedBy(owns, ({ name }) => name).values()) {
    const outputs = sharing.reduce((sum, own) => sum + own.outputs, 0);
    let before = 0;
    for (const own of sharing) {
      const pieces = piecesOf(own, before, outputs);
      before += own.outputs;
      ours.set(own.path, { shape: own.shape, pieces });
      for (const piece of pieces) {
        const known = theirs.get(piece.theirs)?.pieces ?? [];
        theirs.set(piece.theirs, { shape: theirShape(own, outputs), pieces: [...known, piece] });
      }
    }
  }
  // In the order of the model, and not of what shares a tensor.
  return { ours: new Map(owns.map(({ path }) => [path, ours.get(path)!])), theirs };
}

function ownOf(path: string, shape: Shape, naming: Naming, headWidth: number): Own {
  const [, prefix = "", n = "", own = ""] = /^(blocks\.(\d+)\.)?(.*)$/.exec(path)!; // matches anything
  const [, part = "", leaf = ""] = /^(.*)\.(\w+)$/.exec(own)!; // a leaf is in something
  const known = naming.names[own] ?? naming.names[part];
  if (known === undefined) throw new FinegrainError(`there is no name for ${path} in files of others`);
  const isTable = leaf === "table";
  const inputsFirst = {
    ours: !isTable && own !== "feedForward.outer.kernel",
    theirs: !isTable && prefix !== "" && naming.inputsFirst,
  };
  const matrix = shape.length === 1 ? [1, shape[0]!] : shape.slice(-2);
  const [inputs, outputs] = (inputsFirst.ours ? matrix : matrix.toReversed()) as [number, number];
  const isTurned = part === "attention.query" || part === "attention.key";
  return {
    path,
    shape,
    name: `${prefix === "" ? "" : naming.block(n)}${known}.${leaf === "bias" ? "bias" : "weight"}`,
    // One matrix is no stack of them there.
    experts: shape.length === 3 && shape[0]! > 1 ? shape[0]! : 0,
    outputs,
    inputs,
    inputsFirst,
    headWidth: naming.neighbours && isTurned && leaf !== "scale" ? headWidth : 0,
  };
}

/** Their shape, of so many outputs in all. */
function theirShape({ shape, experts, name, inputs, inputsFirst }: Own, outputs: number): Shape {
  if (shape.length === 1) return [outputs];
  const matrix = inputsFirst.theirs ? [inputs, outputs] : [outputs, inputs];
  return experts > 0 && !name.includes(EXPERT) ? [experts, ...matrix] : matrix;
}

/** @param before outputs of theirs before these. @param all outputs of theirs. */
function piecesOf(own: Own, before: number, all: number): Piece[] {
  const { path, name, experts, outputs, inputs, inputsFirst, headWidth } = own;
  const isApart = name.includes(EXPERT);
  const place = (first: boolean, width: number, offset: number): Place =>
    first ? { offset, output: 1, input: width } : { offset, output: inputs, input: 1 };
  return Array.from({ length: Math.max(1, experts) }, (_, expert) => {
    const start = inputsFirst.theirs ? before : before * inputs;
    return {
      ours: path,
      theirs: name.replace(EXPERT, `${expert}`),
      outputs,
      inputs,
      inOurs: place(inputsFirst.ours, outputs, expert * outputs * inputs),
      inTheirs: place(inputsFirst.theirs, all, start + (isApart ? 0 : expert * all * inputs)),
      headWidth,
    };
  });
}

/** Values by their keys, in the order given. */
export function groupedBy<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group) group.push(value);
    else groups.set(key, [value]);
  }
  return groups;
}

/** Whether a piece is all of both tensors, number by number. */
export const isSame = ({ outputs, inputs, inOurs, inTheirs, headWidth }: Piece, { shape }: Laid): boolean =>
  size(shape) === outputs * inputs &&
  headWidth === 0 &&
  inOurs.offset === inTheirs.offset &&
  (inputs === 1 || outputs === 1 || (inOurs.output === inTheirs.output && inOurs.input === inTheirs.input));

/** Copy a piece out of a tensor of theirs into one of ours, or the other way round. */
export function copyPiece(
  piece: Piece,
  from: "theirs" | "ours",
  source: ArrayLike<number>,
  target: HostTensor["data"],
): void {
  const { outputs, inputs, inOurs, inTheirs, headWidth } = piece;
  for (let output = 0; output < outputs; output++) {
    const ours = inOurs.offset + output * inOurs.output;
    const theirs = inTheirs.offset + theirOutput(output, headWidth) * inTheirs.output;
    if (from === "theirs")
      for (let input = 0; input < inputs; input++)
        target[ours + input * inOurs.input] = source[theirs + input * inTheirs.input]!;
    else
      for (let input = 0; input < inputs; input++)
        target[theirs + input * inTheirs.input] = source[ours + input * inOurs.input]!;
  }
}

/** The rows of a piece, output by output, of all those of its tensor of theirs, in which an output's inputs are a row. */
export function pickedRows({ words, scales, minima }: PackedInt4, piece: Piece): PackedInt4 {
  const { outputs, inputs, inTheirs, headWidth } = piece;
  const before = inTheirs.offset / inputs;
  const picked = <A extends Int32Array | Uint16Array>(all: A, width: number, own: A): A => {
    for (let output = 0; output < outputs; output++) {
      const row = before + theirOutput(output, headWidth);
      own.set(all.subarray(row * width, (row + 1) * width), output * width);
    }
    return own;
  };
  const [ofWords, ofGroups] = [inputs / INT4_WORD, inputs / INT4_GROUP];
  return {
    words: picked(words, ofWords, new Int32Array(outputs * ofWords)),
    scales: picked(scales, ofGroups, new Uint16Array(outputs * ofGroups)),
    minima: picked(minima, ofGroups, new Uint16Array(outputs * ofGroups)),
  };
}

/** Where an output of ours is, whose pairs are the halves of a head, among outputs whose pairs are neighbours. */
function theirOutput(output: number, headWidth: number): number {
  if (headWidth === 0) return output;
  const within = output % headWidth;
  const half = headWidth / 2;
  return output - within + 2 * (within % half) + Math.floor(within / half);
}
