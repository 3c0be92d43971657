import { add, concat, einsum, FinegrainError, reshape, slice, type Tensor } from "@finegrain/graph";
import { expectDivisible } from "../../config-error.ts";
import { glorot, zeros } from "../../init.ts";
import { type Layer, type Param, param } from "../../layer.ts";

export interface LocallyConnectedDenseConfig {
  readonly dIn: number;
  readonly dOut: number;
  readonly modules: number;
  /** Neighbouring modules that an output reads, around its own. Odd. Default 1: modules do not mix. */
  readonly kernel?: number;
}

/**
 * A small dense layer in every module. With a kernel over several modules their axis wraps around, and a kernel belongs
 * to the module that it reads:
 *
 *   y[s] = Σ_i x[s + i - half] kernel[s + i - half, i] + b[s],  half = (kernel - 1) / 2
 *
 * Trax `LocallyConnectedDense`, and with kernel 1 its `ModularDense`.
 * Axes: B batch, T time, S modules, W features and U units of a module, I places in the kernel.
 *
 * @throws FinegrainError where `dIn` or `dOut` is not a multiple of `modules`, or `kernel` is even.
 */
export function locallyConnectedDense({
  dIn,
  dOut,
  modules,
  kernel = 1,
}: LocallyConnectedDenseConfig): Layer<{ kernel: Param; bias: Param }> {
  const width = expectDivisible("locallyConnectedDense", "dIn", dIn, "modules", modules);
  const units = expectDivisible("locallyConnectedDense", "dOut", dOut, "modules", modules);
  if (kernel % 2 !== 1)
    throw new FinegrainError(`locallyConnectedDense: kernel must be an odd number of modules, not ${kernel}`);
  const half = (kernel - 1) / 2;
  return {
    params: {
      kernel: param([modules, kernel, width, units], glorot(kernel * width, units)),
      bias: param([modules, units], zeros),
    },
    apply(w, x) {
      const [batch, time] = x.shape as [number, number];
      const modular = reshape(x, [batch, time, modules, width]);
      const every = einsum(modular, w.kernel, "B T S W, S I W U -> B T I S U");
      const parts = Array.from({ length: kernel }, (_, i) => {
        const starts = [0, 0, i, 0, 0];
        const part = slice(every, { starts, ends: [batch, time, i + 1, modules, units] });
        return rotate(reshape(part, [batch, time, modules, units]), i - half);
      });
      return reshape(
        add(
          parts.reduce((sum, part) => add(sum, part)),
          w.bias,
        ),
        [batch, time, dOut],
      );
    },
  };
}

/** Entry s of axis 2 becomes entry s + by, around the end. */
function rotate(x: Tensor, by: number): Tensor {
  const n = x.shape[2]!;
  const start = ((by % n) + n) % n;
  if (start === 0) return x;
  const part = (from: number, to: number) =>
    slice(x, { starts: [0, 0, from, 0], ends: x.shape.map((extent, axis) => (axis === 2 ? to : extent)) });
  return concat(part(start, n), part(0, start), { axis: 2 });
}
