import { type DType, type Shape, sameShape, size, type TensorType } from "@finegrain/graph";
import type { ProgramBuilder, Value } from "../program-builder.ts";
import { type Attribute, type Binding, DT } from "./binding.ts";
import { heldShape, settleElementwise } from "./held.ts";

/** Attributes by name. */
export type Attributes = Readonly<
  Record<string, number | boolean | string | { readonly type: number } | { readonly shape: Shape }>
>;

/** A call of an operation, its attributes settled. @param index which of its outputs is the result. */
export function operation(
  binding: Binding,
  name: string,
  attributes: Attributes,
  index = 0,
): (ids: readonly number[]) => number {
  const settled = Object.entries(attributes).map(([key, value]): Attribute => {
    if (typeof value === "object")
      return "type" in value
        ? { name: key, type: binding.TF_ATTR_TYPE, value: value.type }
        : { name: key, type: binding.TF_ATTR_SHAPE, value: value.shape };
    if (typeof value === "boolean") return { name: key, type: binding.TF_ATTR_BOOL, value };
    if (typeof value === "string") return { name: key, type: binding.TF_ATTR_STRING, value };
    return { name: key, type: binding.TF_ATTR_INT, value };
  });
  if (index === 0) return (ids) => binding.executeOp(name, settled, ids, 1)[0]!.id;
  return (ids) => {
    const results = binding.executeOp(name, settled, ids, index + 1);
    for (const { id } of results.slice(0, index)) binding.deleteTensor(id);
    return results[index]!.id;
  };
}

/** Appends TensorFlow's operations to a program. */
export class Operations {
  readonly builder: ProgramBuilder<number>;
  readonly binding: Binding;
  /** Where threads are woken for an operation: on a GPU, another operation costs more than what one of them saves. */
  readonly isOnCpu: boolean;

  constructor(builder: ProgramBuilder<number>, binding: Binding) {
    this.builder = builder;
    this.binding = binding;
    this.isOnCpu = !binding.isUsingGpuDevice();
  }

  /** A step that is one operation, on operands of just the shapes that they have. */
  op(name: string, operands: readonly Value[], type: TensorType, attributes: Attributes = {}, index = 0): Value {
    return this.#step(
      name,
      operands.map((x) => this.settled(x)),
      type,
      attributes,
      index,
    );
  }

  /** A step that any number of nodes share, small as it is: it is computed once in a run. */
  once(name: string, operands: readonly Value[], type: TensorType): Value {
    const placed = operands.map((x) => this.settled(x));
    return this.builder.step(name, placed, type, operation(this.binding, name, {}), true);
  }

  /** An element-wise operation, whose operands stay as they are held where the result allows it. */
  elementwise(
    name: string,
    operands: readonly Value[],
    { dtype, shape }: TensorType,
    attributes: Attributes = {},
  ): Value {
    const { shapes, held } = settleElementwise(operands, shape);
    const placed = operands.map((x, i) => this.settled(this.reshape(x, shapes[i]!)));
    return this.#shown(this.#step(name, placed, { dtype, shape: held }, attributes, 0), shape);
  }

  /**
   * An operation along the last axis, of operands that follow: whatever is before that axis stays as it is held.
   *
   * @param last the result's last axis, none where it goes.
   */
  alongLast(
    name: string,
    x: Value,
    others: readonly Value[],
    { dtype, shape }: TensorType,
    { last, attributes = {}, index = 0 }: { last: readonly number[]; attributes?: Attributes; index?: number },
  ): Value {
    const held = heldShape(x);
    const along = x.shape.at(-1)!;
    const own = held.length > 0 && held.at(-1) === along ? held : [size(x.shape.slice(0, -1)), along];
    const placed = this.settled(this.reshape(x, own));
    const found = { dtype, shape: [...own.slice(0, -1), ...last] };
    return this.#shown(this.#step(name, [placed, ...others], found, attributes, index), shape);
  }

  ints(...data: number[]): Value {
    return this.builder.constant("int32", [data.length], data);
  }

  int(value: number): Value {
    return this.builder.constant("int32", [], [value]);
  }

  constant(dtype: DType, shape: Shape, data: readonly number[]): Value {
    return this.builder.constant(dtype, shape, data);
  }

  /** The same elements under another shape: no operation, until one needs that shape. */
  reshape(x: Value, shape: Shape): Value {
    return this.#shown({ ...x, shape: heldShape(x) }, shape);
  }

  /** A value that is held under its own shape. */
  settled(x: Value): Value {
    const { dtype, shape, slot } = x;
    if (sameShape(heldShape(x), shape)) return { dtype, shape, slot };
    return this.builder.step(
      "Reshape",
      [x, this.ints(...shape)],
      { dtype, shape },
      operation(this.binding, "Reshape", {}),
      true,
    );
  }

  /** The same 32 bits as uint32, which the value's dtype does not say: no op of ours reads it. */
  unsigned(x: Value): Value {
    return this.op("Bitcast", [x], x, { type: { type: DT.uint32 } });
  }

  #step(name: string, operands: readonly Value[], type: TensorType, attributes: Attributes, index: number): Value {
    const key = `${name} ${JSON.stringify(attributes)} ${index}`;
    return this.builder.step(key, operands, type, operation(this.binding, name, attributes, index));
  }

  #shown({ dtype, shape, slot }: Value, as: Shape): Value {
    return sameShape(shape, as) ? { dtype, shape, slot } : { dtype, shape: as, slot, held: shape };
  }
}
