import {
  type DeviceProgram,
  evaluate,
  type HostTensor,
  philox,
  size,
  type TensorType,
  uniformFromBits,
} from "@finegrain/graph";
import type { InferenceSession, Tensor as OrtTensor, TypedTensor } from "onnxruntime-node";
import { writeRows } from "./patch.ts";
import type { Draw, Feed, Numbers, Program, Result } from "./program.ts";

export type MakeTensor = (type: TensorType, data: Numbers) => OrtTensor;

interface Options {
  readonly program: Program;
  readonly session: InferenceSession | undefined;
  readonly tensor: MakeTensor;
}

/** A session and what the host does around its runs. What is donated is kept by an output, or left to the collector. */
export class OnnxProgram implements DeviceProgram<Numbers> {
  readonly #options: Options;

  constructor(options: Options) {
    this.#options = options;
  }

  async run(values: readonly Numbers[]): Promise<Numbers[]> {
    const { program, session } = this.#options;
    const host = this.#hostValues(values);
    const outputs = (await session?.run(this.#feeds(values, host))) ?? {};
    return program.results.map((result) => take(result, outputs, values, host));
  }

  #hostValues(values: readonly Numbers[]): readonly HostTensor[] {
    const { graph, inputs } = this.#options.program.host;
    if (graph.outputs.length === 0) return [];
    return evaluate(
      graph,
      inputs.map((i, k) => ({ dtype: graph.inputs[k]!.dtype, shape: graph.inputs[k]!.shape, data: values[i]! })),
    );
  }

  #feeds(values: readonly Numbers[], host: readonly HostTensor[]): Record<string, OrtTensor> {
    const { tensor, program } = this.#options;
    const numbers = (feed: Feed) => ("input" in feed ? values[feed.input]! : draw(feed.draw, feed.type, host));
    return Object.fromEntries(program.feeds.map((feed) => [feed.name, tensor(feed.type, numbers(feed))]));
  }

  [Symbol.dispose](): void {
    void this.#options.session?.release();
  }
}

function draw({ key, counter, uniform }: Draw, { shape }: TensorType, host: readonly HostTensor[]): Numbers {
  const bits = philox(host[key]!.data, host[counter]!.data, size(shape));
  if (!uniform) return bits;
  // A loop: `Float32Array.from` takes ten times as long, and these are millions a step.
  const numbers = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) numbers[i] = uniformFromBits(bits[i]!);
  return numbers;
}

function take(
  result: Result,
  outputs: InferenceSession.OnnxValueMapType,
  values: readonly Numbers[],
  host: readonly HostTensor[],
): Numbers {
  if (result.kind === "empty")
    return result.type.dtype === "float32"
      ? new Float32Array(0)
      : result.type.dtype === "int32"
        ? new Int32Array(0)
        : new Uint8Array(0);
  const { data } = outputs[result.name] as TypedTensor<"float32" | "int32" | "bool">; // the dtypes that we declare
  if (result.kind === "output") return data;
  writeRows(
    values[result.input]!,
    result.type.shape,
    data,
    result.axis,
    result.rows.shape[result.axis]!,
    host[result.start]!.data[0]!,
  );
  return values[result.input]!;
}
