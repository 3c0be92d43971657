import type { Donations, Graph } from "@finegrain/graph";
import { emit } from "../src/emit.ts";
import { modelProto } from "../src/schema.ts";

/** What of an ONNX model the tests look at. */
export interface DecodedModel {
  readonly node: readonly DecodedNode[];
  readonly input: readonly DecodedValue[];
  readonly output: readonly DecodedValue[];
  readonly initializer: readonly { readonly name: string; readonly rawData: Uint8Array }[];
}

interface DecodedValue {
  readonly name: string;
  readonly type: {
    readonly tensorType: { readonly shape: { readonly dim: readonly { readonly dimValue: number }[] } };
  };
}

export interface DecodedNode {
  readonly opType: string;
  readonly domain: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly attribute: readonly { readonly name: string; readonly f?: number; readonly i?: number }[];
}

/** The ONNX model that a graph becomes. */
export function decodeModel(graph: Graph, donate: Donations = []): DecodedModel {
  const { model } = emit(graph, donate);
  if (model === undefined) throw new Error(`graph "${graph.name}" has no model`);
  // The message's fields are those of the interface: src/schema.ts.
  return modelProto.toObject(modelProto.decode(model), { longs: Number, arrays: true }).graph as DecodedModel;
}

/** The shape of a model's input or output. */
export const shapeOf = ({ type }: DecodedValue): number[] => type.tensorType.shape.dim.map(({ dimValue }) => dimValue);

/** An attribute's number; what is zero is not written. */
export function attributeOf({ attribute }: DecodedNode, name: string): number {
  const found = attribute.find((a) => a.name === name);
  return found?.f ?? found?.i ?? 0;
}
