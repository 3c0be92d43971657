import { type ComputeDType, expectComputeDType, sameShape, size, type TensorType } from "@finegrain/graph";
import { encodeModel } from "./schema.ts";

/** ONNX TensorProto.DataType. */
const dataTypes = { float32: 1, int32: 6, int64: 7, bool: 9, uint32: 12 } as const;
export type OnnxType = keyof typeof dataTypes;
export const dataTypeOf = (dtype: OnnxType): number => dataTypes[dtype];

const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;
const FLOAT = 1;
const INT = 2;
const STRING = 3;
const INTS = 7;
const OPSET = 21;
const IR_VERSION = 10;

/** A whole number is an ONNX int, `{ float }` a float. */
type Attribute = number | string | readonly number[] | { readonly float: number };
export type Attributes = Readonly<Record<string, Attribute>>;

/** ONNX TensorProto.DataLocation of numbers in a file beside the model. */
const EXTERNAL = 1;

/** Where numbers stand in a file beside a model: the bytes from `begin` to `end`, little endian, row by row. */
export interface FilePart {
  readonly file: string;
  readonly begin: number;
  readonly end: number;
}

/** ONNX Runtime's own operators. */
export const CONTRIB = "com.microsoft";

function attribute(name: string, value: Attribute): object {
  if (typeof value === "number") return { name, type: INT, i: value };
  if (typeof value === "string") return { name, type: STRING, s: new TextEncoder().encode(value) };
  return "float" in value ? { name, type: FLOAT, f: value.float } : { name, type: INTS, ints: [...value] };
}

const valueInfo = (name: string, type: TensorType): object => ({
  name,
  type: {
    tensorType: {
      elemType: dataTypes[expectComputeDType("onnx", type)],
      shape: { dim: type.shape.map((dimValue) => ({ dimValue })) },
    },
  },
});

/**
 * An ONNX model while it is written: nodes in order, each of one output, whose name says which of our ops it comes from.
 * Equal nodes and constants are made once.
 */
export class ModelBuilder {
  /** Prefix of the names of the nodes to come: the op that is being lowered. */
  scope = "";
  readonly #nodes: object[] = [];
  readonly #computed = new Set<string>();
  readonly #initializers: object[] = [];
  readonly #inputs: object[] = [];
  readonly #known = new Map<string, string>();
  readonly #shapes = new Map<string, readonly number[]>();
  /** What a reshaped value was before. */
  readonly #originals = new Map<string, string>();
  /** Names of inputs of another shape, by the input that they are the same numbers as. */
  readonly #views = new Map<string, (shape: readonly number[]) => string>();
  #count = 0;

  /** A node of one output; returns the output's name. `apart` keeps it from being one with its equals. */
  node(opType: string, inputs: readonly string[], attributes: Attributes = {}, domain = "", apart = ""): string {
    return this.nodes(opType, inputs, 1, attributes, domain, apart)[0]!;
  }

  /** A node of several outputs. */
  nodes(
    opType: string,
    inputs: readonly string[],
    outputs: number,
    attributes: Attributes = {},
    domain = "",
    apart = "",
  ): string[] {
    const key = JSON.stringify([opType, inputs, outputs, attributes, domain, apart]);
    const known = this.#known.get(key);
    if (known !== undefined) return known.split("\n");
    const name = `${this.scope}/${opType}_${this.#count++}`;
    const names = Array.from({ length: outputs }, (_, i) => (i === 0 ? name : `${name}:${i}`));
    this.#known.set(key, names.join("\n"));
    for (const output of names) this.#computed.add(output);
    const attributeList = Object.entries(attributes).map(([key, value]) => attribute(key, value));
    this.#nodes.push({ opType, domain, name, input: inputs, output: names, attribute: attributeList });
    return names;
  }

  /** Numbers that are part of the model. */
  constant(dtype: ComputeDType, shape: readonly number[], data: ArrayLike<number>): string {
    return this.#initializer(dtype, shape, new Uint8Array(arrays[dtype].from(data).buffer));
  }

  /** int32: 0, 1, 2, ... under a shape. */
  range(...shape: readonly number[]): string {
    return this.constant(
      "int32",
      shape,
      Array.from({ length: size(shape) }, (_, i) => i),
    );
  }

  /** A one-dimensional int64 constant: what shapes, axes and pads are given as. */
  ints(...values: readonly number[]): string {
    return this.#initializer("int64", [values.length], new Uint8Array(BigInt64Array.from(values, BigInt).buffer));
  }

  #initializer(dtype: OnnxType, dims: readonly number[], rawData: Uint8Array): string {
    const key = `${dtype}[${dims}]${rawData.length < 65536 ? rawData.join() : `#${this.#count}`}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const name = `constant_${this.#count++}`;
    this.#known.set(key, name);
    this.#initializers.push({ name, dims, dataType: dataTypes[dtype], rawData });
    return name;
  }

  /** Numbers that are part of the model and stand in a file beside it. */
  external(name: string, { dtype, shape }: TensorType, { file, begin, end }: FilePart): string {
    const place = { location: file, offset: begin, length: end - begin };
    this.#initializers.push({
      name,
      dims: shape,
      dataType: dataTypes[expectComputeDType("onnx", { dtype, shape })],
      dataLocation: EXTERNAL,
      externalData: Object.entries(place).map(([key, value]) => ({ key, value: String(value) })),
    });
    return this.shaped(name, shape);
  }

  /**
   * A value that every run is given. `view`: declares the same numbers under another shape, which costs nothing where a
   * Reshape might copy them.
   */
  input(name: string, type: TensorType, view?: (shape: readonly number[]) => string): string {
    if (!this.#shapes.has(name)) {
      this.#inputs.push(valueInfo(name, type));
      if (view) this.#views.set(name, view);
    }
    return this.shaped(name, type.shape);
  }

  /** Note the shape of a value, so that a reshape to it costs nothing. */
  shaped(value: string, shape: readonly number[]): string {
    this.#shapes.set(value, shape);
    return value;
  }

  /** The shape of a value, where it was noted. */
  shapeOf(value: string): readonly number[] | undefined {
    return this.#shapes.get(value);
  }

  /** A value's elements under another shape: the value itself, or what it was reshaped from, where that has it already. */
  reshape(value: string, shape: readonly number[]): string {
    const original = this.#originals.get(value) ?? value;
    const known = [value, original].find((name) => sameShape(this.#shapes.get(name) ?? [-1], shape));
    if (known !== undefined) return known;
    const view = this.#views.get(original);
    if (view) return view(shape);
    const options = shape.includes(0) ? { allowzero: 1 } : {};
    const result = this.shaped(this.node("Reshape", [original, this.ints(...shape)], options), shape);
    this.#originals.set(result, original);
    return result;
  }

  /** A filled tensor. */
  fill(type: TensorType, value: number): string {
    const { shape } = type;
    const dtype = expectComputeDType("onnx", type);
    if (size(shape) <= 1) return this.constant(dtype, shape, new Array(size(shape)).fill(value));
    return this.node("Expand", [this.constant(dtype, [], [value]), this.ints(...shape)]);
  }

  /** Whether a value is a node's, and so can be an output of the model itself. */
  computes(value: string): boolean {
    return this.#computed.has(value);
  }

  /** A value under a name that someone else chose. */
  named(value: string, name: string): string {
    this.#nodes.push({ opType: "Identity", domain: "", name, input: [value], output: [name], attribute: [] });
    return name;
  }

  /** The finished model, whose outputs are these values of nodes. */
  finish(name: string, outputs: readonly (readonly [value: string, type: TensorType])[]): Uint8Array {
    return encodeModel({
      irVersion: IR_VERSION,
      producerName: "finegrain",
      opsetImport: [
        { domain: "", version: OPSET },
        { domain: CONTRIB, version: 1 },
      ],
      graph: {
        name,
        node: this.#nodes,
        initializer: this.#initializers,
        input: this.#inputs,
        output: outputs.map(([value, type]) => valueInfo(value, type)),
      },
    });
  }
}
