import { FinegrainError } from "@finegrain/graph";

/** The learning rate of the update number `step`, counted from 0. */
export type Schedule = (step: number) => number;

/** `rate` at every step. */
export interface ConstantConfig {
  readonly kind: "constant";
  readonly rate: number;
}

/** Linear warm-up to `rate`, then half a cosine down to `floor` at `steps`. Loshchilov and Hutter, "SGDR" (2017). */
export interface CosineConfig {
  readonly kind: "cosine";
  /** The highest rate. */
  readonly rate: number;
  /** Updates of the warm-up; may be 0. */
  readonly warmup: number;
  /** Updates of the whole schedule, warm-up included; `floor` from there on. */
  readonly steps: number;
  /** The last rate. Default 0. */
  readonly floor?: number;
}

/**
 * Linear warm-up to `rate`, then rate * sqrt(warmup / step): Vaswani et al., "Attention Is All You Need" (2017),
 * section 5.3; Trax's "constant * linear_warmup * rsqrt_decay" with the constant rate * sqrt(warmup).
 */
export interface InverseSquareRootConfig {
  readonly kind: "inverse-square-root";
  /** The highest rate, reached at the end of the warm-up. */
  readonly rate: number;
  /** Updates of the warm-up, at least 1. */
  readonly warmup: number;
}

/**
 * `rate` for the first steps, then rate * sqrt(constant / step): with the defaults 1 / sqrt(max(step, 10000)), as T5 and Terraformer were
 * trained by Adafactor. Raffel et al. 2020, 3.1.2.
 */
export interface T5Config {
  readonly kind: "t5";
  /** The highest rate. */
  readonly rate: number;
  /** Updates at the highest rate, at least 1. */
  readonly constant: number;
}

export type ScheduleConfig = ConstantConfig | CosineConfig | InverseSquareRootConfig | T5Config;

/** The schedule of a valid config (see {@link parseSchedule}). The warm-up's first update has rate / warmup, not 0. */
export function schedule(config: ScheduleConfig): Schedule {
  const { rate } = config;
  switch (config.kind) {
    case "constant":
      return () => rate;
    case "cosine": {
      const { warmup, steps, floor = 0 } = config;
      return (step) => {
        if (step < warmup) return (rate * (step + 1)) / warmup;
        // The last update, number steps - 1, has the floor; the last of the warm-up, number warmup - 1, has the rate.
        const progress = Math.min(1, (step + 1 - warmup) / (steps - warmup));
        return floor + ((rate - floor) * (1 + Math.cos(Math.PI * progress))) / 2;
      };
    }
    case "inverse-square-root": {
      const { warmup } = config;
      return (step) => rate * Math.min((step + 1) / warmup, Math.sqrt(warmup / (step + 1)));
    }
    case "t5": {
      const { constant } = config;
      return (step) => rate * Math.sqrt(constant / Math.max(constant, step + 1));
    }
  }
}

const FIELDS: Readonly<Record<ScheduleConfig["kind"], { readonly needed: string[]; readonly optional: string[] }>> = {
  constant: { needed: ["rate"], optional: [] },
  cosine: { needed: ["rate", "warmup", "steps"], optional: ["floor"] },
  "inverse-square-root": { needed: ["rate", "warmup"], optional: [] },
  t5: { needed: ["rate", "constant"], optional: [] },
};

/**
 * A schedule's config from parsed JSON.
 *
 * @throws FinegrainError one sentence: the unknown kind, the missing, unknown or wrong field, with its value.
 */
export function parseSchedule(value: unknown): ScheduleConfig {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new FinegrainError(`a schedule must be an object with a "kind", not ${JSON.stringify(value)}`);
  }
  const { kind, ...fields } = value as Record<string, unknown>;
  if (typeof kind !== "string" || !Object.hasOwn(FIELDS, kind)) {
    throw new FinegrainError(
      `schedule kind must be one of ${Object.keys(FIELDS).join(", ")}, not ${JSON.stringify(kind)}`,
    );
  }
  const { needed, optional } = FIELDS[kind as ScheduleConfig["kind"]];
  for (const name of Object.keys(fields)) {
    if (![...needed, ...optional].includes(name)) {
      throw new FinegrainError(
        `schedule "${kind}" has no field "${name}": it has ${[...needed, ...optional].join(", ")}`,
      );
    }
  }
  for (const name of [...needed, ...optional]) {
    const number = fields[name];
    if (number === undefined && optional.includes(name)) continue;
    if (typeof number !== "number" || !Number.isFinite(number)) {
      throw new FinegrainError(
        `schedule "${kind}": ${name} must be a number, not ${JSON.stringify(number) ?? "missing"}`,
      );
    }
  }
  const config = value as ScheduleConfig; // every field was just checked to be there and a number
  checkRanges(config);
  return config;
}

function checkRanges(config: ScheduleConfig): void {
  const require = (holds: boolean, sentence: string) => {
    if (!holds) throw new FinegrainError(`schedule "${config.kind}": ${sentence}`);
  };
  require(config.rate >= 0, `rate must be at least 0, not ${config.rate}`);
  if (config.kind === "constant") return;
  if (config.kind === "t5") {
    const { constant } = config;
    require(Number.isInteger(constant) &&
      constant >= 1, `constant must be a whole number of at least 1, not ${constant}`);
    return;
  }
  const least = config.kind === "cosine" ? 0 : 1;
  require(Number.isInteger(config.warmup) &&
    config.warmup >= least, `warmup must be a whole number of at least ${least}, not ${config.warmup}`);
  if (config.kind !== "cosine") return;
  const { warmup, steps, floor = 0, rate } = config;
  require(Number.isInteger(steps) &&
    steps > warmup, `steps must be a whole number above the warm-up of ${warmup}, not ${steps}`);
  require(floor >= 0 && floor <= rate, `floor must be from 0 to the rate ${rate}, not ${floor}`);
}
