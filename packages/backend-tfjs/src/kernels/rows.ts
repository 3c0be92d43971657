import { type Shape, size } from "@finegrain/graph";
import type * as Tf from "@tensorflow/tfjs-core";
import type { InPlace } from "../machine.ts";
import type { ProgramBuilder, Value } from "../program-builder.ts";
import type { Numbers } from "./kernels.ts";

type Tensor = Tf.Tensor;

/** How tensors are written in place where an engine's memory is the host's too. */
export class Rows implements InPlace<Tensor> {
  readonly #tf: typeof Tf;
  readonly #view: (tensor: Tensor) => Numbers;

  /** @param view a tensor's own numbers, not a copy. */
  constructor(tf: typeof Tf, view: (tensor: Tensor) => Numbers) {
    this.#tf = tf;
    this.#view = view;
  }

  open(handle: Tensor): Tensor {
    if (this.#tf.backend().refCount(handle.dataId) === 1) return handle;
    const copy = this.#tf.engine().makeTensor(this.#view(handle).slice(), handle.shape, handle.dtype);
    handle.dispose();
    return this.#tf.keep(copy);
  }

  /** tfjs counts who shares a tensor's numbers. */
  lend(): void {}

  write(
    builder: ProgramBuilder<Tensor>,
    { into, rows, start, axis }: { into: Value; rows: Value; start: Value; axis: number },
  ): { written: Value; read: Value } {
    const inner = size(into.shape.slice(axis + 1));
    const written = builder.step("write", [into, rows, start], into, ([tensor, fresh, at]) => {
      writeRows(
        this.#view(tensor!),
        this.#view(fresh!),
        into.shape,
        axis,
        rows.shape[axis]! * inner,
        at!.dataSync()[0]! * inner,
      );
      return tensor!;
    });
    return { written, read: { ...written, isWritten: true } };
  }
}

/** @throws RangeError where the rows do not fit, before anything is written: past the end of an axis is another row's place. */
function writeRows(into: Numbers, rows: Numbers, shape: Shape, axis: number, length: number, offset: number): void {
  const stride = size(shape.slice(axis));
  if (offset < 0 || offset + length > stride)
    throw new RangeError(`${length} numbers from ${offset} on do not fit the axis ${axis} of [${shape}]`);
  for (let outer = 0; outer * length < rows.length; outer++)
    into.set(rows.subarray(outer * length, (outer + 1) * length), outer * stride + offset);
}
