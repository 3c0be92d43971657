import { type Shape, size, type TensorType } from "@finegrain/graph";
import { type LanguageModel, leaves, type Param } from "@finegrain/nn";

/*
 * Who updates what: every rank has its part of the parameters, keeps the optimizer's state of that part alone, and gathers
 * the rest from the others. Rajbhandari et al. 2020, "ZeRO", stage 1.
 */

/** Elements of one parameter, in the order of its rows, that one rank updates. */
export interface Piece {
  /** The parameter's path, and where it is cut, where it is: in its slots' names, too. */
  readonly name: string;
  readonly path: string;
  readonly start: number;
  readonly end: number;
  /** The parameter's where it is whole; else one axis. */
  readonly type: TensorType;
  /** Where it begins in its rank's region of a flat array. */
  readonly offset: number;
}

/** A parameter that is trained. */
export interface Trained extends TensorType {
  /** Elements among which blocks are counted, again and again: those of one expert. Left out: all. */
  readonly unit?: number;
}

/** A model's parameters that are trained, by path. */
export function trainedParams({ params, isTrained = () => true }: LanguageModel): Map<string, Trained> {
  const trained = leaves<Param>(params).filter(([path]) => isTrained(path));
  return new Map(
    trained.map(([path, { shape, perExpert }]) => {
      const [count, ...rest] = shape;
      return [path, { dtype: "float32", shape, unit: size(perExpert ? rest : [count ?? 1, ...rest]) }];
    }),
  );
}

/** All parameters in one flat array: a region for every rank, all of one length, with its pieces. */
export interface Shards {
  /** Elements of a region, what fills up the shorter ones included. */
  readonly region: number;
  /** By rank. */
  readonly pieces: readonly (readonly Piece[])[];
}

/** Parameters are cut where blocks of this many elements begin, so that what is summed up by blocks is so whatever the number of ranks. */
export const BLOCK = 1024;

/** Elements among which blocks are counted. */
export const unitOf = ({ unit, shape }: Trained): number => unit ?? size(shape);

/** Blocks of a parameter. The last one of a unit may be shorter than others. */
export const blocksOf = (own: Trained): number =>
  Math.ceil(unitOf(own) / BLOCK) * Math.round(size(own.shape) / unitOf(own));

/** The number of the block that has an element. */
export const blockAt = (own: Trained, at: number): number =>
  Math.floor(at / unitOf(own)) * Math.ceil(unitOf(own) / BLOCK) + Math.floor((at % unitOf(own)) / BLOCK);

/** Where the first block ends that does so behind an element: `at`, or later. */
function blockEnd(own: Trained, at: number): number {
  const unit = unitOf(own);
  const within = Math.ceil((at % unit) / BLOCK) * BLOCK;
  return at - (at % unit) + Math.min(unit, within);
}

/**
 * Parameters in as many parts of about the same size, each a stretch of them in their order.
 * @param whole whether no parameter may be cut.
 */
export function shardParameters(
  params: ReadonlyMap<string, Trained>,
  ranks: number,
  { whole }: { readonly whole: boolean },
): Shards {
  const total = [...params.values()].reduce((sum, { shape }) => sum + size(shape), 0);
  const target = Math.ceil(total / ranks);
  const pieces: Piece[][] = Array.from({ length: ranks }, () => []);
  const used = new Array<number>(ranks).fill(0);
  let rank = 0;
  for (const [path, type] of params) {
    const length = size(type.shape);
    for (let start = 0; start < length; ) {
      while (used[rank]! >= target && rank < ranks - 1) rank++;
      const room = target - used[rank]!;
      const end = whole || rank === ranks - 1 ? length : blockEnd(type, Math.min(length, start + room));
      pieces[rank]!.push(pieceOf(path, type, start, end, used[rank]!));
      used[rank]! += end - start;
      start = end;
    }
  }
  return { region: Math.max(...used), pieces };
}

function pieceOf(path: string, { shape, dtype }: TensorType, start: number, end: number, offset: number): Piece {
  const isWhole = end - start === size(shape);
  const own: Shape = isWhole ? shape : [end - start];
  return { name: isWhole ? path : `${path}[${start}:${end}]`, path, start, end, type: { shape: own, dtype }, offset };
}

/** Experts in as many parts as there are ranks, each in a region of its own: of every parameter, which is {@link Trained} with units, as many of them. */
export function shardExperts(params: ReadonlyMap<string, Trained>, ranks: number): Shards {
  const pieces = Array.from({ length: ranks }, (_, rank) => {
    let used = 0;
    return [...params].map(([path, { dtype, shape }]) => {
      const [count, ...rest] = shape as [number, ...number[]];
      const type = { dtype, shape: [count / ranks, ...rest] };
      const [length, offset] = [size(type.shape), used];
      used += length;
      const [start, end] = [rank * length, (rank + 1) * length];
      return { name: `${path}[${start}:${end}]`, path, start, end, type, offset };
    });
  });
  return { region: pieces[0]!.reduce((sum, { start, end }) => sum + end - start, 0), pieces };
}
