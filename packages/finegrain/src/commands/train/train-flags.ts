import type { ModelConfig } from "@finegrain/nn";
import { checkRunConfig, type PartialConfig, type RunConfig, SPEECHES, type TrainingConfig } from "@finegrain/runs";
import type { ScheduleConfig } from "@finegrain/train";
import type { Values } from "../../arguments.ts";
import type { trainFlags } from "./flags.ts";
import { layersFromFlags } from "./layer-flags.ts";

type Flags = Values<typeof trainFlags>;
type Json = Readonly<Record<string, unknown>>;

/**
 * A run's config: what flags say, over what the file says, over the defaults.
 *
 * @param vocabulary of the tokenizer.
 * @throws UsageError where flags contradict each other, FinegrainError where a number cannot be.
 */
export function configFromFlags(flags: Flags, file: PartialConfig, vocabulary: number): RunConfig {
  const training = trainingConfig(flags, file.training ?? {});
  const fixed = { vocabulary, maxLength: training.length };
  const model = modelConfig(flags, file.model ?? {}, fixed, training.batch);
  const tokenizer = flags.tokenizer ?? file.tokenizer ?? "byte";
  return checkRunConfig({ model, tokenizer, data: flags.data ?? file.data ?? SPEECHES, training }, "the config");
}

function modelConfig(
  flags: Flags,
  file: Json,
  fixed: { vocabulary: number; maxLength: number },
  batch: number,
): ModelConfig {
  const given = Object.keys(file).length > 0;
  const dModel = flags["d-model"] ?? number(file.dModel) ?? 256;
  const heads = flags.heads ?? number(file.heads) ?? 4;
  const layers = layersFromFlags(flags, { dModel, heads, batch }, given);
  return {
    ...file,
    ...fixed,
    dModel,
    dFf: flags["d-ff"] ?? number(file.dFf) ?? 4 * dModel,
    layers: flags.layers ?? number(file.layers) ?? 4,
    heads,
    ...(flags.objective !== undefined && { objective: flags.objective }),
    ...layers,
  };
}

const number = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

function trainingConfig(flags: Flags, file: Json): TrainingConfig {
  const steps = flags.steps ?? number(file.steps) ?? 300;
  const fifth = Math.max(1, Math.round(steps / 5));
  const optimizer = flags.optimizer ?? (file.optimizer as TrainingConfig["optimizer"] | undefined) ?? "adamw"; // checked below
  const setsSchedule = flags.schedule ?? flags["learning-rate"] ?? flags.warmup ?? flags.steps;
  return {
    steps,
    batch: flags.batch ?? number(file.batch) ?? 8,
    length: flags.length ?? number(file.length) ?? 128,
    accumulate: flags.accumulate ?? number(file.accumulate) ?? 1,
    optimizer,
    weightDecay: flags["weight-decay"] ?? number(file.weightDecay) ?? (optimizer === "adamw" ? 0.1 : 0),
    // The file's own schedule is checked with the rest of the config.
    schedule:
      setsSchedule === undefined && file.schedule !== undefined
        ? (file.schedule as ScheduleConfig)
        : scheduleConfig(flags, steps),
    clipNorm: flags.clip ?? number(file.clipNorm) ?? 1,
    seed: flags.seed ?? number(file.seed) ?? 0,
    evaluateEvery: flags["evaluate-every"] ?? number(file.evaluateEvery) ?? fifth,
    checkpointEvery: flags["checkpoint-every"] ?? number(file.checkpointEvery) ?? fifth,
  };
}

function scheduleConfig(flags: Flags, steps: number): ScheduleConfig {
  const rate = flags["learning-rate"] ?? 0.002;
  const kind = flags.schedule ?? "cosine";
  const warmup = flags.warmup ?? Math.min(steps - 1, Math.ceil(steps / 10));
  if (kind === "constant") return { kind, rate };
  if (kind === "inverse-sqrt") return { kind: "inverse-square-root", rate, warmup: Math.max(1, warmup) };
  return { kind, rate, warmup, steps, floor: rate / 10 };
}
