import {
  add,
  cast,
  concat,
  gather,
  iota,
  less,
  mul,
  pad,
  reduceSum,
  reshape,
  select,
  sub,
  type Tensor,
} from "@finegrain/graph";

/** How many tokens of each sequence are no padding, which is at its end: bool [batch, length] -> int32 [batch]. */
export const lengthsOf = (isToken: Tensor): Tensor => cast(reduceSum(cast(isToken, "float32"), { axes: [1] }), "int32");

/**
 * Two sequences as one: the second follows the tokens of the first directly, and what was padding comes after both. Trax
 * `ConcatWithPadding`.
 *
 *   first, second  float32  [batch, length, dModel], [batch, time, dModel]
 *   lengths        int32    [batch]                            tokens of the first
 *   returns        float32  [batch, length + time, dModel]     after both, what was there in the first, or zeros
 */
export function joinSequences(first: Tensor, second: Tensor, lengths: Tensor): Tensor {
  const [batch, length, dModel] = first.shape as [number, number, number];
  const time = second.shape[1]!;
  const both = pad(concat(first, second, { axis: 1 }), { low: [0, 0, 0], high: [0, 1, 0] }); // a row of zeros, for what is in neither
  const total = length + time;
  const place = iota({ shape: [batch, total], axis: 1 });
  const before = reshape(lengths, [batch, 1]);
  const behind = select(less(place, length), place, total);
  const ofSecond = add(sub(place, before), length);
  const from = select(less(place, before), place, select(less(place, add(before, time)), ofSecond, behind));
  return rowsOf(both, from, dModel);
}

/**
 * The second of two sequences that were joined. Trax `StripFromConcatenateWithPadding`.
 *
 *   joined   float32  [batch, length + time, dModel]
 *   lengths  int32    [batch]                  tokens of the first
 *   returns  float32  [batch, time, dModel]
 */
export function secondOfJoined(joined: Tensor, lengths: Tensor, time: number): Tensor {
  const [batch, , dModel] = joined.shape as [number, number, number];
  return rowsOf(joined, add(iota({ shape: [batch, time], axis: 1 }), reshape(lengths, [batch, 1])), dModel);
}

/** x [batch, rows, dModel] and int32 places [batch, n] -> [batch, n, dModel]. */
function rowsOf(x: Tensor, places: Tensor, dModel: number): Tensor {
  const [batch, rows] = x.shape as [number, number];
  const start = mul(iota({ shape: [batch, 1], axis: 0 }), rows);
  return gather(reshape(x, [batch * rows, dModel]), add(places, start));
}
