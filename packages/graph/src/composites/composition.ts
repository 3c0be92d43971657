import { type CaseInput, type Draw, f32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { type CompositeOp, defineComposite, expectDtype, type Vjp } from "../op.ts";
import type { Tensor, TensorType } from "../tensor.ts";

/** A composite of one float32 tensor that keeps its shape. */
export function composed(
  name: string,
  decompose: (x: Tensor) => Tensor,
  vjp?: Vjp<[x: Tensor], void> | null,
  { lastAxis = false }: { lastAxis?: boolean } = {},
): CompositeOp<[x: Tensor]> {
  return defineComposite({
    name,
    infer([x]) {
      expectDtype(name, x, "float32");
      if (lastAxis) expectLastAxis(name, x);
      return { dtype: x.dtype, shape: x.shape };
    },
    decompose: ([x]) => decompose(x),
    ...(vjp === undefined ? {} : { vjp }),
    cases: [[f32(2, 3)], [f32(5)]],
    sample: (draw: Draw): [CaseInput] => [lastAxis ? f32(...draw.shape(0, 3), draw.extent(1)) : f32(...draw.shape())],
  });
}

/** @throws ShapeError where `x` has no last axis, or an empty one. */
export function expectLastAxis(op: string, x: TensorType): void {
  if (!x.shape.at(-1)) throw new ShapeError(`${op} of [${x.shape}]: the last axis is missing or empty`);
}
