import { type HostTensor, hostTensor, philox, size, uniformFromBits } from "@finegrain/graph";
import type { CaseInput } from "@finegrain/graph/cases";

/**
 * A value for a case's input, the same for the same seed: floats standard normal or uniform in `range`, rounded to
 * float32 so that a backend and the reference see the same numbers; integers uniform in [atLeast, below).
 */
export function randomValue({ dtype, shape, atLeast = 0, below, range }: CaseInput, seed: number): HostTensor {
  const length = size(shape);
  const bits = philox([seed, 0x5eed], [0, 0], 2 * length);
  const uniform = (k: number) => uniformFromBits(bits[k]!);
  const draw = (k: number): number => {
    if (dtype !== "float32" || below !== undefined)
      return atLeast + Math.floor(uniform(2 * k) * ((below ?? 2) - atLeast));
    if (range) return Math.fround(range[0] + uniform(2 * k) * (range[1] - range[0]));
    return Math.fround(Math.sqrt(-2 * Math.log(uniform(2 * k))) * Math.cos(2 * Math.PI * uniform(2 * k + 1)));
  };
  return hostTensor(
    dtype,
    shape,
    Float64Array.from({ length }, (_, k) => draw(k)),
  );
}
