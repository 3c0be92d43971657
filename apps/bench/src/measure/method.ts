import { errorSentence } from "../results/error-sentence.ts";

/** Something that is measured in rounds, side by side with others. */
export interface Contestant {
  readonly name: string;
  /** Do one round's work. @returns seconds per unit (a token, a step). */
  round(): Promise<number>;
}

/** What the rounds of one contestant gave. */
export interface Samples {
  /** Seconds per unit, one a round; index r of all contestants is from the same round. */
  readonly seconds: readonly number[];
  /** Why it left, where it failed. */
  readonly error?: string;
}

/** What the rounds of a case gave, by contestant. */
export type Rounds = ReadonlyMap<string, Samples>;

export interface InterleaveOptions {
  readonly rounds: number;
  /** The most rounds of warm-up. They end earlier where two in a row agree within `STABLE`. */
  readonly warmup: number;
  /** When to end (performance.now), with fewer rounds than `rounds` but no fewer than `LEAST_ROUNDS`. Default never. */
  readonly until?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called before every round, warm-up included: the number done, the most there will be, and what they gave so far. */
  onRound?(done: number, of: number, rounds: Rounds): void;
}

/** Rounds without which there is no spread to speak of. */
export const LEAST_ROUNDS = 3;

/** Seconds that a round of something short should take, so that neither the clock nor the wait at its end counts. */
const ROUND = 0.03;
/** The most runs of such a round: results that wait to be freed are memory. */
const MOST_RUNS = 256;

/** How often to run in a round what takes so many seconds. */
export const runsOfRound = (seconds: number): number => Math.min(MOST_RUNS, Math.max(1, Math.round(ROUND / seconds)));

/** Two rounds of warm-up that differ by less than this part are called stable. */
const STABLE = 0.05;

/**
 * Measure contestants round by round in one run: every round runs each of them once, beginning with another one every
 * time, so that whatever drifts (clocks, heat, neighbours) touches all alike. One that throws leaves, and the others go on.
 *
 * Warm-up ends once the times of each contestant's last two rounds differ by less than 5 %, after `warmup` rounds, or where
 * it is late.
 *
 * @returns samples by name. An abort ends the round at hand behind the contestant at hand; rounds that were whole are kept.
 */
export async function interleave(
  contestants: readonly Contestant[],
  { rounds, warmup, until = Number.POSITIVE_INFINITY, signal, onRound }: InterleaveOptions,
): Promise<Rounds> {
  const seconds = new Map(contestants.map(({ name }) => [name, [] as number[]]));
  const errors = new Map<string, string>();
  const samples = (): Rounds =>
    new Map(
      contestants.map(({ name }) => {
        const error = errors.get(name);
        return [name, { seconds: seconds.get(name)!, ...(error !== undefined && { error }) }];
      }),
    );
  const runRound = async (round: number): Promise<Times | undefined> => {
    const times = new Map<string, number>();
    for (let i = 0; i < contestants.length; i++) {
      if (signal?.aborted) return;
      const { name, round: run } = contestants[(i + round) % contestants.length]!;
      if (errors.has(name)) continue;
      try {
        times.set(name, await run());
      } catch (error) {
        errors.set(name, errorSentence(error));
      }
    }
    return times;
  };
  const isLate = () => performance.now() > until;
  await warmUp(runRound, warmup, (done) => {
    onRound?.(done, warmup + rounds, samples());
    return done > 0 && isLate();
  });
  for (let round = 0; round < rounds && !(round >= LEAST_ROUNDS && isLate()); round++) {
    onRound?.(warmup + round, warmup + rounds, samples());
    const times = await runRound(round);
    if (times === undefined) break;
    for (const [name, time] of times) seconds.get(name)!.push(time);
  }
  return samples();
}

/** Seconds of a round by contestant, without those that failed. */
type Times = ReadonlyMap<string, number>;

async function warmUp(
  runRound: (round: number) => Promise<Times | undefined>,
  most: number,
  ends: (done: number) => boolean,
): Promise<void> {
  let last: Times = new Map();
  for (let round = 0; round < most && !ends(round); round++) {
    const times = await runRound(round);
    if (times === undefined) return;
    const stable = [...times].every(([name, time]) => Math.abs(time / (last.get(name) ?? Number.NaN) - 1) < STABLE);
    if (stable) return;
    last = times;
  }
}
