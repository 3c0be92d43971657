import { type TrainingConfig, type TrainingOptions, usualSchedule } from "@finegrain/runs";
import { trainingDefaults } from "@finegrain/runs/defaults";
import type { ScheduleConfig } from "@finegrain/train";
import type { Values } from "../../arguments.ts";
import { UsageError } from "../../exit.ts";
import type { trainFlags } from "./flags.ts";

type Flags = Values<typeof trainFlags>;

/** The command's short names of schedules. */
const SCHEDULES: Readonly<Record<NonNullable<Flags["schedule"]>, ScheduleConfig["kind"]>> = {
  cosine: "cosine",
  "inverse-sqrt": "inverse-square-root",
  constant: "constant",
  t5: "t5",
};

/** How to train: what flags say over what the file says. A flag about the schedule, or the steps, makes a new one. */
export function trainingOptions(flags: Flags, file: Partial<TrainingConfig>): TrainingOptions {
  const { schedule: kind, "learning-rate": rate, warmup, minutes } = flags;
  if (minutes !== undefined && flags.steps !== undefined)
    throw new UsageError("--minutes cannot be given with --steps: one of them says when the training ends");
  const setsSchedule = kind ?? rate ?? warmup ?? flags.steps ?? minutes;
  const keepsSchedule = setsSchedule === undefined && file.schedule !== undefined;
  const steps = flags.steps ?? (minutes === undefined ? file.steps : undefined);
  const { steps: _steps, schedule: _schedule, ...own } = file;
  return {
    ...own,
    ...given({
      batch: flags.batch,
      length: flags.length,
      accumulate: flags.accumulate,
      optimizer: flags.optimizer,
      weightDecay: flags["weight-decay"],
      clipNorm: flags.clip,
      transition: flags.transition,
      seed: flags.seed,
      deterministic: flags.deterministic || undefined,
      evaluateEvery: flags["evaluate-every"],
      checkpointEvery: flags["checkpoint-every"],
    }),
    ...given({ minutes, steps: keepsSchedule ? (steps ?? trainingDefaults.steps) : steps }),
    schedule: keepsSchedule
      ? file.schedule!
      : (run) => usualSchedule({ ...run, ...given({ kind: kind && SCHEDULES[kind], rate, warmup }) }),
  };
}

/** Only the fields that have a value. */
export function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> }; // what is left
}
