import {
  type DeviceProgram,
  evaluate,
  FinegrainError,
  type Graph,
  type HostTensor,
  philox,
  size,
  type TensorType,
  uniformFromBits,
} from "@finegrain/graph";
import type { InferenceSession, Tensor as OrtTensor, TypedTensor } from "onnxruntime-node";
import type { Cell, Numbers } from "./buffer.ts";
import { writeRows } from "./patch.ts";
import type { Draw, Feed, Program, Result } from "./program.ts";

export type MakeTensor = (type: TensorType, data: Numbers) => OrtTensor;
/** Runs after everything queued before it, and whatever became of that. */
export type Enqueue = (task: () => Promise<void>) => Promise<void>;

interface Options {
  readonly graph: Graph;
  readonly program: Program;
  readonly session: InferenceSession | undefined;
  readonly tensor: MakeTensor;
  readonly enqueue: Enqueue;
  /** What messages call the backend. */
  readonly backend: string;
}

/** A session and what the host does around its runs. What is donated is kept by an output, or left to the collector. */
export class OnnxProgram implements DeviceProgram<Cell> {
  readonly #options: Options;

  constructor(options: Options) {
    this.#options = options;
  }

  run(inputs: readonly Cell[]): Cell[] {
    const { program, enqueue } = this.#options;
    const results = program.results.map((): Cell => ({ settled: Promise.resolve() }));
    const settled = enqueue(() => this.#run(inputs, results));
    for (const cell of results) cell.settled = settled;
    return results;
  }

  async #run(given: readonly Cell[], results: readonly Cell[]): Promise<void> {
    try {
      const values = given.map(({ value, error }) => {
        if (value === undefined) throw error;
        return value;
      });
      const host = this.#hostValues(values);
      const outputs = (await this.#options.session?.run(this.#feeds(values, host))) ?? {};
      this.#options.program.results.forEach((result, i) => {
        results[i]!.value = take(result, outputs, values, host);
      });
    } catch (cause) {
      const error = cause instanceof FinegrainError ? cause : this.#failure(cause);
      for (const cell of results) cell.error = error;
    }
  }

  #failure(cause: unknown): FinegrainError {
    const { graph, backend } = this.#options;
    return new FinegrainError(
      `graph "${graph.name}" failed on ${backend}: ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    );
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
    void this.#options.enqueue(async () => this.#options.session?.release());
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
