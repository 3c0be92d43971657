import type { HostTensor } from "@finegrain/graph";
import { sameShape, typeName } from "@finegrain/graph";

/**
 * Refuse `actual` unless every element is within tolerance * (|expected| + rms(expected)); integers, bools, NaN and
 * infinities must be the same.
 * @throws Error that says where, what, and how far off.
 */
export function expectClose(actual: HostTensor, expected: HostTensor, tolerance: number): void {
  if (actual.dtype !== expected.dtype || !sameShape(actual.shape, expected.shape))
    throw new Error(`got ${typeName(actual)}, expected ${typeName(expected)}`);
  const exact = expected.dtype !== "float32";
  let squares = 0;
  for (const e of expected.data) squares += Number.isFinite(e) ? e * e : 0;
  const rms = Math.sqrt(squares / Math.max(1, expected.data.length));
  for (let k = 0; k < expected.data.length; k++) {
    const [a, e] = [actual.data[k]!, expected.data[k]!];
    if (a === e || (Number.isNaN(a) && Number.isNaN(e))) continue;
    if (exact || !(Math.abs(a - e) <= tolerance * (Math.abs(e) + rms)))
      throw new Error(`element ${k} of ${typeName(expected)} is ${a}, expected ${e} within ${exact ? 0 : tolerance}`);
  }
}
