import { type Shape, size, type TensorType } from "@finegrain/graph";

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

/** All parameters in one flat array: a region for every rank, all of one length, with its pieces. */
export interface Shards {
  /** Elements of a region, what fills up the shorter ones included. */
  readonly region: number;
  /** By rank. */
  readonly pieces: readonly (readonly Piece[])[];
}

/** Parameters are cut at multiples of this, so that what is summed up by blocks is so whatever the number of ranks. */
export const BLOCK = 1024;

/**
 * Parameters in as many parts of about the same size, each a stretch of them in their order.
 * @param whole whether no parameter may be cut.
 */
export function shardParameters(
  params: ReadonlyMap<string, TensorType>,
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
      const room = Math.ceil((target - used[rank]!) / BLOCK) * BLOCK;
      const end = whole || rank === ranks - 1 ? length : Math.min(length, start + room);
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

/** Blocks of a parameter of so many elements. */
export const blocksOf = (length: number): number => Math.ceil(length / BLOCK);
