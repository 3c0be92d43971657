import { add, div, einsum, mapTensors, min, mul, reshape, size, sqrt, type Tensor } from "@finegrain/graph";

/** By the paths of the parameters that they are of. */
type Gradients = Readonly<Record<string, Tensor>>;

/** Keeps a division by the norm of no gradient at all finite. */
export const TINY = 1e-6;

/**
 * Scale all gradients alike, so that they are no longer than `maxNorm` as one vector. Pascanu et al. 2013.
 *
 *   norm  float32 []   their length before
 */
export function clipByGlobalNorm(
  gradients: Gradients,
  { maxNorm }: { readonly maxNorm: number },
): { readonly gradients: Gradients; readonly norm: Tensor } {
  const norm = globalNorm(gradients);
  const scale = min(div(maxNorm, add(norm, TINY)), 1);
  return { gradients: mapTensors(gradients, (gradient) => mul(gradient, scale)), norm };
}

/** Length of all gradients as one vector: float32 []. */
export function globalNorm(gradients: Gradients): Tensor {
  const squares = Object.values(gradients).map((gradient) => {
    const flat = reshape(gradient, [size(gradient.shape)]);
    return einsum(flat, flat, "N, N -> ");
  });
  return sqrt(squares.reduce((sum, square) => add(sum, square)));
}
