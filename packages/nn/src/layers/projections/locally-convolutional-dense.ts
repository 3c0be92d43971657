import { add, einsum, FinegrainError, reshape, type Tensor } from "@finegrain/graph";
import { expectDivisible, expectPositive } from "../../config-error.ts";
import { glorot, zeros } from "../../init.ts";
import { type CachedLayer, type Param, param, type Weights } from "../../layer.ts";
import { moduleWindows, padPast, pastCaches, type WindowConfig, withPast } from "./module-windows.ts";

export interface LocallyConvolutionalDenseConfig extends WindowConfig {
  readonly dIn: number;
  readonly dOut: number;
}

export type LocallyConvolutionalDenseParams = { readonly kernel: Param; readonly bias: Param };

/**
 * Convolution over modules and time whose kernel is shared by all modules, causal in time:
 *
 *   y[t, s] = Σ_{a, b} x[t + a - (lengthKernel - 1), s + b - (kernel - 1) / 2] kernel[a, b] + b
 *
 * Jaszczur et al. 2021, section 3.2; Trax `LocallyConvDense`. The kernel is stored as the matrix that is multiplied,
 * [lengthKernel · kernel · width, units], their [lengthKernel, kernel, width, units] in the same order.
 * Axes: B batch, T time, S modules, W window, U units of a module.
 *
 * @throws FinegrainError where `dIn` or `dOut` is not a multiple of `modules`, or `kernel` is even.
 */
export function locallyConvolutionalDense(
  config: LocallyConvolutionalDenseConfig,
): CachedLayer<LocallyConvolutionalDenseParams> {
  const { dIn, dOut, modules, kernel, lengthKernel } = config;
  const width = expectDivisible("locallyConvolutionalDense", "dIn", dIn, "modules", modules);
  const units = expectDivisible("locallyConvolutionalDense", "dOut", dOut, "modules", modules);
  expectPositive("locallyConvolutionalDense", "lengthKernel", lengthKernel);
  if (kernel % 2 !== 1)
    throw new FinegrainError(`locallyConvolutionalDense: kernel must be an odd number of modules, not ${kernel}`);
  const window = lengthKernel * kernel * width;
  return {
    params: { kernel: param([window, units], glorot(window, units)), bias: param([units], zeros) },
    apply: (w, x) => convolve(w, moduleWindows(padPast(x, lengthKernel), config)),
    caches: (batch) => pastCaches("past", batch, lengthKernel, dIn),
    decode(w, x, caches) {
      const { seen, cache } = withPast("past", x, caches, lengthKernel);
      return { y: convolve(w, moduleWindows(seen, config)), caches: cache };
    },
  };
}

/** Windows [batch, time, modules, window] times the kernel: [batch, time, modules · units]. */
export function convolve(w: Weights<LocallyConvolutionalDenseParams>, windows: Tensor): Tensor {
  const [batch, time, modules] = windows.shape as [number, number, number];
  const y = add(einsum(windows, w.kernel, "B T S W, W U -> B T S U"), w.bias);
  return reshape(y, [batch, time, modules * w.bias.shape[0]!]);
}
