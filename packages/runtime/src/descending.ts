/**
 * The indices of `values` from the largest value to the smallest, the lower index first among equals, found as they are
 * asked for: a binary heap, built in linear time, so that the first few of a large vocabulary cost no sort.
 */
export function descending(values: Float32Array): { next(): number | undefined } {
  const heap = new Int32Array(values.length);
  for (let index = 0; index < heap.length; index++) heap[index] = index;
  let length = heap.length;
  const precedes = (a: number, b: number) => {
    const x = values[a]!;
    const y = values[b]!;
    return x > y || (x === y && a < b);
  };
  const sink = (from: number) => {
    const index = heap[from]!;
    let parent = from;
    for (;;) {
      let child = 2 * parent + 1;
      if (child >= length) break;
      if (child + 1 < length && precedes(heap[child + 1]!, heap[child]!)) child++;
      if (!precedes(heap[child]!, index)) break;
      heap[parent] = heap[child]!;
      parent = child;
    }
    heap[parent] = index;
  };
  for (let parent = (length >>> 1) - 1; parent >= 0; parent--) sink(parent);
  return {
    next() {
      if (length === 0) return undefined;
      const first = heap[0]!;
      length--;
      heap[0] = heap[length]!;
      sink(0);
      return first;
    },
  };
}
