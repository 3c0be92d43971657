import { type DType, type Shape, sameShape, type TensorType } from "@finegrain/graph";
import type * as Tf from "@tensorflow/tfjs-core";
import type { ProgramBuilder, Value } from "../program-builder.ts";

type Tensor = Tf.Tensor;
export type Numbers = Float32Array | Int32Array | Uint8Array;

/** Appends tfjs's kernels to a program. */
export class Kernels {
  readonly builder: ProgramBuilder<Tensor>;
  readonly tf: typeof Tf;
  readonly engine: "wasm" | "cpu";
  /** A tensor's own numbers, not a copy. Gone when the engine's memory grows: whatever makes a tensor may do that. */
  readonly view: (tensor: Tensor) => Numbers;

  constructor(builder: ProgramBuilder<Tensor>, { tf, engine, view }: Pick<Kernels, "tf" | "engine" | "view">) {
    this.builder = builder;
    this.tf = tf;
    this.engine = engine;
    this.view = view;
  }

  /**
   * A step that is one kernel.
   *
   * @param operands by the names that the kernel has for them.
   * @param index which of its outputs is the result, where it has several.
   */
  run(
    name: string,
    operands: Readonly<Record<string, Value>>,
    type: TensorType,
    attributes: object = {},
    index?: number,
  ): Value {
    const engine = this.tf.engine();
    const names = Object.keys(operands);
    const key = `${name} ${JSON.stringify(attributes)} ${index}`;
    // Attributes are the kernel's own: tfjs has no type of them all.
    const settled = attributes as Tf.NamedAttrMap;
    return this.builder.step(key, Object.values(operands), type, (tensors) => {
      const inputs: Tf.NamedTensorMap = {};
      for (let i = 0; i < names.length; i++) inputs[names[i]!] = tensors[i]!;
      const result = engine.runKernel<Tensor | Tensor[]>(name, inputs, settled);
      return Array.isArray(result) ? result[index ?? 0]! : result;
    });
  }

  /** A step that is a kernel of any number of operands. */
  list(name: string, operands: readonly Value[], type: TensorType, attributes: object): Value {
    const engine = this.tf.engine();
    return this.builder.step(`${name} ${JSON.stringify(attributes)}`, operands, type, (tensors) =>
      // Such kernels take an array, which tfjs's type of inputs leaves out.
      engine.runKernel(name, tensors as unknown as Tf.NamedTensorMap, attributes as Tf.NamedAttrMap),
    );
  }

  constant(dtype: DType, shape: Shape, data: readonly number[]): Value {
    return this.builder.constant(dtype, shape, data);
  }

  fill({ dtype, shape }: TensorType, value: number): Value {
    return this.broadcast(this.constant(dtype, [], [value]), shape);
  }

  reshape(x: Value, shape: Shape): Value {
    return sameShape(x.shape, shape)
      ? x
      : this.#viewOf(x, this.run("Reshape", { x }, { dtype: x.dtype, shape }, { shape }));
  }

  /** Axes in another order: no copy where only axes of one element move. */
  transpose(x: Value, perm: readonly number[]): Value {
    const shape = perm.map((axis) => x.shape[axis]!);
    return this.#viewOf(x, this.run("Transpose", { x }, { dtype: x.dtype, shape }, { perm }));
  }

  /** Stretched to a larger shape. */
  broadcast(x: Value, shape: Shape): Value {
    if (sameShape(x.shape, shape)) return x;
    const own = [...new Array<number>(shape.length - x.shape.length).fill(1), ...x.shape];
    const reps = shape.map((n, axis) => n / own[axis]!);
    return this.run("Tile", { x: this.reshape(x, own) }, { dtype: x.dtype, shape }, { reps });
  }

  #viewOf({ isWritten = false }: Value, view: Value): Value {
    return isWritten ? { ...view, isWritten } : view;
  }
}
