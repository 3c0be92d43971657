import { FinegrainError } from "@finegrain/graph";
import type { ModelConfig } from "@finegrain/nn";
import { decodeBytes, isDense } from "./dense-model.ts";
import { type JsonLines, numberOf, textOf } from "./json-lines.ts";
import type { ModelTask, OpTask, Peer, PeerAbsence, PeerModel, PeerPlace, PeerSession, PeerVariant } from "./peer.ts";
import { serverTask, startServer } from "./server.ts";

/** What the server's layers can be told. A config that says more is of another layer. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  dense: [],
  grouped: ["experts", "groupSize"],
  "mixture-of-tokens": ["experts", "groupSize"],
};

/**
 * PyTorch, run eagerly by `python3` of the PATH in a process of its own: on CUDA where our backend is, or is on a GPU by WebGPU
 * and torch sees one, else on the CPU with as many threads as ours.
 *
 * Dense models and, forwards and backwards, those with llm-random's layers in its own products. Positions that rotate and
 * SwiGLU are not among them.
 *
 * @param python the interpreter, and what it is given before the server's path.
 */
export const pytorch = (python: readonly [string, ...string[]] = ["python3"]): Peer => ({
  name: "pytorch",
  scope:
    "float32: decodes and trains dense models; trains the layers dense, grouped and mixture-of-tokens; matrix products",
  async open(place) {
    const lines = startServer("pytorch", [...python, "-B"], "pytorch_server.py");
    try {
      return await greet(lines, place);
    } catch (error) {
      await lines[Symbol.asyncDispose]();
      if (error instanceof FinegrainError && error.message.includes("ENOENT"))
        return { reason: `not installed (there is no ${python[0]} on the PATH)` };
      throw error;
    }
  },
});

/** Where torch is to run: on the first of these that it has. */
const devicesFor = ({ kind, software }: PeerPlace): string[] =>
  kind === "cuda" ? ["cuda"] : kind === "webgpu" && !software ? ["cuda", "cpu"] : ["cpu"];

async function greet(lines: JsonLines, place: PeerPlace): Promise<PeerSession | PeerAbsence> {
  const answer = await lines.request({ do: "hello", devices: devicesFor(place), threads: place.threads });
  if (typeof answer.missing === "string") {
    await lines[Symbol.asyncDispose]();
    const isInstalled = !answer.missing.includes("No module named");
    return {
      reason: isInstalled ? `not there: ${answer.missing}` : `not installed (pip install torch): ${answer.missing}`,
    };
  }
  const device = textOf(answer, "device");
  return {
    name: `pytorch:${device}`,
    device: {
      kind: device,
      description: textOf(answer, "description"),
      provider: `torch ${textOf(answer, "torch")}`,
      ...(device === "cpu" && { threads: numberOf(answer, "threads") }),
    },
    prepareModel: (task) => prepareModel(lines, task),
    prepareOp: (task) => prepareOp(lines, task),
    [Symbol.asyncDispose]: () => lines[Symbol.asyncDispose](),
  };
}

async function prepareModel(lines: JsonLines, task: ModelTask): Promise<PeerModel | undefined> {
  const { phase, config, measure, storage } = task;
  if (!has(phase, config) || storage !== "float32") return undefined;
  const answer = await lines.request({ do: "prepare", phase, model: config, measure });
  const parameters = numberOf(answer, "parameters");
  const served = serverTask(lines, numberOf(answer, "task"));
  const isDecode = phase === "decode";
  return {
    parameters,
    bytesPerToken: isDecode ? decodeBytes(config, parameters, measure) : null,
    round: () => served.seconds("round"),
    ...(!isDecode && {
      products: { flops: numberOf(answer, "productFlops"), round: () => served.seconds("products") },
    }),
    [Symbol.asyncDispose]: () => served[Symbol.asyncDispose](),
  };
}

async function prepareOp(lines: JsonLines, { op, shape }: OpTask): Promise<PeerVariant | undefined> {
  if (op !== "matrix product" && op !== "matrix-vector product") return undefined;
  const { rows = 1, depth, columns } = shape;
  const answer = await lines.request({ do: "prepare", phase: "op", model: { rows, depth, columns }, measure: {} });
  const task = serverTask(lines, numberOf(answer, "task"));
  return { round: () => task.seconds("round"), [Symbol.asyncDispose]: () => task[Symbol.asyncDispose]() };
}

/** Whether the server has such a model. */
function has(phase: ModelTask["phase"], { feedForward, ...rest }: ModelConfig): boolean {
  const { type = "dense", ...options } = feedForward ?? {};
  const known = LAYERS[type];
  if (known === undefined || Object.keys(options).some((option) => !known.includes(option))) return false;
  const layer = rest.activation !== "swiglu" && (type === "dense" || rest.activation === undefined);
  if (phase === "layer") return layer;
  if (phase === "prefill") return false;
  // Layers of groups across the batch have another decode.
  return layer && isDense(rest) && rest.positions !== "rotary" && (phase === "train" || type === "dense");
}
