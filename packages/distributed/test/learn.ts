import { openBackend } from "@finegrain/backends";
import { type Buffer, type Shape, size } from "@finegrain/graph";
import { type ModelConfig, scalingLM } from "@finegrain/nn";
import { adafactor, adamW, createTrainer, heldOutBatches, trainBatches } from "@finegrain/train";
import type { Communicator } from "../src/index.ts";

/*
 * A short training of small models, as each rank does it and as one process does.
 */

const dense: ModelConfig = { vocabulary: 61, dModel: 16, dFf: 64, layers: 1, heads: 2, maxLength: 16 };
export const MODELS = {
  dense,
  /** Of so many weights that a block, by which they are shared out, is few of them. */
  wider: { ...dense, dModel: 32, dFf: 512, layers: 2 },
  sparse: { ...dense, feedForward: { type: "trax-sparse", blockSize: 4, rank: 4 } },
  "token-choice": { ...dense, feedForward: { type: "token-choice", experts: 4 } },
  "expert-choice": { ...dense, feedForward: { type: "expert-choice", experts: 4, capacityFactor: 2, router: "inner" } },
  "mixture-of-tokens": { ...dense, feedForward: { type: "mixture-of-tokens", experts: 4, groupSize: 2 } },
} satisfies Record<string, ModelConfig>;

export interface Training {
  readonly backend: "wasm" | "onnx";
  readonly model: keyof typeof MODELS;
  readonly optimizer: "adamw" | "adafactor";
  readonly steps: number;
  readonly deterministic: boolean;
  /** Whether ranks share experts out. */
  readonly expertParallel?: boolean;
  /** What is said to the last rank instead. */
  readonly lastRank?: Partial<Training>;
}

/** What came of it. */
export interface Learned {
  readonly losses: readonly number[];
  readonly norms: readonly number[];
  /** Of all weights and slots, the last bit included. */
  readonly digest: string;
  /** Nats of a held-out text. */
  readonly heldOut: number;
  readonly parameters: number;
  /** What this process has of all experts' weights, and of the optimizer's state: of several, the one that has most. */
  readonly held: { readonly experts: number; readonly slots: number };
}

const SIZE = { batch: 2, length: 16 };
const MICRO_BATCHES = 4;
const text = Int32Array.from({ length: 2000 }, (_, i) => (i * i + 3 * i) % 61);

export async function learn(
  { backend: name, model, optimizer, steps, deterministic, expertParallel }: Training,
  communicator?: Communicator,
): Promise<Learned> {
  await using backend = await openBackend({ name, threads: 1 });
  const batches = trainBatches(text, { ...SIZE, seed: 3 });
  await using trainer = await createTrainer({
    ...SIZE,
    backend,
    model: scalingLM(MODELS[model]),
    optimizer: optimizer === "adamw" ? adamW({ weightDecay: 0.1 }) : adafactor(),
    schedule: () => 0.01,
    clipNorm: 0.5,
    seed: 7,
    accumulate: MICRO_BATCHES,
    deterministic,
    communicator,
    expertParallel,
  });
  const [losses, norms]: [number[], number[]] = [[], []];
  while (trainer.step < steps) {
    const { loss, gradientNorm } = await trainer.run(batches.ofStep(trainer.step, MICRO_BATCHES, trainer.share));
    losses.push(loss);
    norms.push(gradientNorm);
  }
  const weights = await trainer.weights();
  const count = (all: Iterable<{ readonly shape: Shape }>) => [...all].reduce((sum, { shape }) => sum + size(shape), 0);
  const parameters = count(weights.values());
  const typesOf = (buffers: ReadonlyMap<string, Buffer>) =>
    [...buffers].map(([path, { type }]) => ({ path, shape: type.shape }));
  const experts = typesOf(trainer.buffers()).filter(({ path }) => path.includes(".experts."));
  const held = { experts: count(experts), slots: count(typesOf(trainer.slots())) };
  const { nats } = await trainer.evaluate(heldOutBatches(text.subarray(0, 150), SIZE));
  const { slots } = await trainer.state();
  return { losses, norms, digest: await digestOf([weights, slots]), heldOut: nats, parameters, held };
}

async function digestOf(all: readonly ReadonlyMap<string, { readonly data: ArrayLike<number> }>[]): Promise<string> {
  const values = all.flatMap((tensors) => [...tensors.values()].flatMap(({ data }) => Array.from(data)));
  return Buffer.from(await crypto.subtle.digest("SHA-256", Float32Array.from(values))).toString("hex");
}
