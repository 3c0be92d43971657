import { type Communicator, valueOfRank, valuesOfRanks } from "@finegrain/distributed";
import { type Backend, FinegrainError } from "@finegrain/graph";
import { type LanguageModel, type ModelConfig, modelOf, parameterCount } from "@finegrain/nn";
import { adamW, createTrainer, schedule } from "@finegrain/train";
import { batchOf } from "../cases/tokens.ts";
import { tokenSpeed } from "../cases/variant.ts";
import { errorSentence } from "../results/error-sentence.ts";
import type { ModelFigures, Result, Scaling } from "../results/result.ts";
import { failed, measuredLine } from "../results/results.ts";
import type { Measure, ModelCase, Suite } from "../suites/suite.ts";
import { type Contestant, interleave, type Rounds } from "./method.ts";
import { casesOf, type RunOptions } from "./run-suite.ts";
import { ratio } from "./statistics.ts";

export interface ScalingOptions extends Pick<RunOptions, "quick" | "rounds" | "batch" | "onProgress"> {
  /** All ranks that there are, each of which makes the same calls. */
  readonly communicator: Communicator;
  /** A backend for this process as one of these ranks, in its part of the machine's processors. */
  open(ranks: Communicator): Promise<Backend>;
}

/** The first so many ranks. The processes that are not among them have no communicator and no backend. */
interface Team {
  readonly ranks: number;
  readonly communicator?: Communicator | undefined;
  readonly backend?: Backend | undefined;
}

/** How often one trains, and how large the parts of its steps are. */
interface Entrant {
  readonly team: Team;
  readonly scalings: readonly Scaling[];
  readonly batch: number;
  readonly tokens: number;
}

/**
 * The training cases of a suite by 1, 2, 4, ... ranks, up to all that there are, in turns: "strong", where a step is that of the suite and each rank has its part
 * of the batch, and "weak", where each has a whole batch. Times are those of rank 0, and what is learned those of one process. Results come a
 * variant at a time, the same on all ranks.
 *
 * @throws FinegrainError where the suite does not train; and what a rank fails with.
 */
export async function* runScaling(suite: Suite, options: ScalingOptions): AsyncGenerator<readonly Result[]> {
  const { communicator, open } = options;
  const cases = casesOf(suite, options).filter((entry): entry is ModelCase => entry.phase === "train");
  if (cases.length === 0)
    throw new FinegrainError(`nothing is trained in the suite ${suite.name}, as by ranks it has to be`);
  const teams: Team[] = [];
  for (let ranks = 1; ranks <= communicator.size; ranks *= 2) {
    const members = communicator.first(ranks);
    teams.push({ ranks, communicator: members, backend: members && (await open(members)) });
  }
  try {
    for (const entry of cases)
      for (const { name, model } of entry.variants)
        yield await measured(suite.name, entry, name, modelOf(model as unknown as ModelConfig), teams, options); // the model refuses what is none
  } finally {
    for (const { backend } of teams) await backend?.[Symbol.asyncDispose]();
  }
}

/** One rank's steps are both a strong and a weak scaling's first. */
function entrantsOf(teams: readonly Team[], { batch, length }: Measure): Entrant[] {
  return teams.flatMap((team): Entrant[] => {
    const { ranks } = team;
    const whole = { team, batch, tokens: ranks * batch * length };
    if (ranks === 1) return [{ ...whole, scalings: ["strong", "weak"] }];
    const weak = { ...whole, scalings: ["weak"] as const };
    if (batch % ranks !== 0) return [weak];
    return [{ team, batch: batch / ranks, tokens: batch * length, scalings: ["strong"] }, weak];
  });
}

async function measured(
  suite: string,
  entry: ModelCase,
  variant: string,
  model: LanguageModel,
  teams: readonly Team[],
  { communicator: world, onProgress }: ScalingOptions,
): Promise<readonly Result[]> {
  const entrants = entrantsOf(teams, entry.measure);
  const trainings: Training[] = [];
  // What fails on one rank leaves the others waiting for it: it ends the whole, and not a contestant.
  let fail: (error: unknown) => void = () => {};
  const failure = new Promise<never>((_, reject) => {
    fail = reject;
  });
  try {
    for (const [i, entrant] of entrants.entries())
      trainings.push(await openTraining(`${i}`, model, entrant, entry.measure, world, fail));
    const rounds = await Promise.race([
      failure,
      interleave(
        trainings.flatMap(({ contestant }) => contestant ?? []),
        {
          ...entry.measure,
          onRound: (done, of) =>
            onProgress?.({ case: entry.name, activity: `measuring ${variant}`, done, of, soFar: () => [] }),
        },
      ),
    ]);
    return (["strong", "weak"] as const).flatMap((scaling) =>
      lines(scaling, { suite, entry, variant, model, entrants, trainings, rounds, world }),
    );
  } finally {
    for (const training of trainings) await training[Symbol.asyncDispose]();
  }
}

interface Training extends AsyncDisposable {
  /** Why it cannot be, as all ranks know: a layer needs more windows than a part of the batch has. */
  readonly error?: string;
  readonly contestant?: Contestant;
  /** Part of the steps' time in messages, of rank 0; null where one rank is alone. */
  communicationShare(): number | null;
}

async function openTraining(
  name: string,
  model: LanguageModel,
  { team: { ranks, communicator, backend }, batch }: Entrant,
  { length, units }: Measure,
  world: Communicator,
  fail: (error: unknown) => void,
): Promise<Training> {
  const size = { batch, length };
  const options = { model, optimizer: adamW({}), schedule: schedule({ kind: "constant", rate: 1e-4 }), seed: 0 };
  const made =
    backend &&
    (await createTrainer({ ...size, ...options, backend, communicator, accumulate: ranks }).catch(errorSentence));
  const error = valuesOfRanks(world, typeof made === "string" ? made : null).find((reason) => reason !== null);
  const trainer = typeof made === "string" ? undefined : made;
  const close = async () => await trainer?.[Symbol.asyncDispose]();
  if (error !== undefined) return { error, communicationShare: () => null, [Symbol.asyncDispose]: close };
  const tokens = batchOf(model, { batch, length });
  await trainer?.run([tokens]); // compiles the step
  const spent = { all: 0, communication: 0 };
  const steps = async (): Promise<number> => {
    await world.barrier();
    const started = performance.now();
    for (let unit = 0; trainer && unit < units; unit++) {
      const { milliseconds, communicationMilliseconds = 0 } = await trainer.run([tokens]);
      spent.all += milliseconds;
      spent.communication += communicationMilliseconds;
    }
    const seconds = (performance.now() - started) / 1000 / units;
    await world.barrier();
    return valueOfRank(world, seconds);
  };
  return {
    contestant: {
      name,
      round: () =>
        steps().catch((error: unknown) => {
          fail(error);
          return new Promise<never>(() => {});
        }),
    },
    communicationShare: () => valueOfRank(world, ranks > 1 ? spent.communication / spent.all : null),
    [Symbol.asyncDispose]: close,
  };
}

interface Scaled {
  readonly suite: string;
  readonly entry: ModelCase;
  readonly variant: string;
  readonly model: LanguageModel;
  readonly entrants: readonly Entrant[];
  readonly trainings: readonly Training[];
  readonly rounds: Rounds;
  readonly world: Communicator;
}

/** Rank 0's lines, on all ranks. */
function lines(
  scaling: Scaling,
  { suite, entry, variant, model, entrants, trainings, rounds, world }: Scaled,
): Result[] {
  const timeOfToken = (i: number) =>
    (rounds.get(`${i}`)?.seconds ?? []).map((seconds) => seconds / entrants[i]!.tokens);
  const own = entrants.flatMap(({ scalings }, i) => (scalings.includes(scaling) ? [i] : []));
  const made = own.map((i) => {
    const { team, tokens } = entrants[i]!;
    const { ranks, communicator, backend } = team;
    const communicationShare = trainings[i]!.communicationShare();
    if (backend === undefined || communicator === undefined) return undefined;
    const name = `${variant}, ${ranks} ${ranks === 1 ? "rank" : "ranks"}`;
    const named = { name: `${entry.name}, ${scaling} scaling`, phase: entry.phase, variants: [{ name }] };
    const error = trainings[i]!.error ?? trainings[0]!.error;
    if (error !== undefined) return failed(suite, named, backend, error)[0];
    const overOneRank = ratio(timeOfToken(0), timeOfToken(i));
    const figures: ModelFigures = {
      phase: "train",
      ...tokenSpeed(rounds.get(`${i}`)!.seconds, tokens),
      parameters: parameterCount(model.params),
      bytesPerToken: null,
      rooflineShare: (overOneRank.median * communicator.local) / ranks,
      ...{ ranks, scaling, overOneRank },
      ...(communicationShare !== null && { communicationShare }),
    };
    const counted = new Map([[name, rounds.get(`${i}`)!]]);
    return measuredLine({ suite, entry: named, backend, rounds: counted }, { name }, figures);
  });
  return valueOfRank(world, made) as Result[]; // rank 0 is in all teams
}
