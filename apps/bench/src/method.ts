import { errorSentence } from "./result.ts";

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

export interface InterleaveOptions {
  readonly rounds: number;
  /** The most rounds of warm-up. They end earlier where two in a row agree within `STABLE`. */
  readonly warmup: number;
  readonly signal?: AbortSignal | undefined;
  /** Called before every round, warm-up included, with the number done and the most there will be. */
  onRound?(done: number, of: number): void;
}

/** Two rounds of warm-up that differ by less than this part are called stable. */
const STABLE = 0.05;

/**
 * Measure contestants round by round in one run: every round runs each of them once, beginning with another one every
 * time, so that whatever drifts (clocks, heat, neighbours) touches all alike. One that throws leaves, and the others go on.
 *
 * @returns samples by name. An abort ends the rounds early: whole rounds that were done are kept.
 */
export async function interleave(
  contestants: readonly Contestant[],
  { rounds, warmup, signal, onRound }: InterleaveOptions,
): Promise<Map<string, Samples>> {
  const seconds = new Map(contestants.map(({ name }) => [name, [] as number[]]));
  const errors = new Map<string, string>();
  const runRound = async (round: number): Promise<Map<string, number>> => {
    const times = new Map<string, number>();
    for (let i = 0; i < contestants.length; i++) {
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
  await warmUp(runRound, warmup, (done) => {
    onRound?.(done, warmup + rounds);
    return signal?.aborted === true;
  });
  for (let round = 0; round < rounds && !signal?.aborted; round++) {
    onRound?.(warmup + round, warmup + rounds);
    for (const [name, time] of await runRound(round)) seconds.get(name)!.push(time);
  }
  return new Map(
    contestants.map(({ name }) => {
      const error = errors.get(name);
      return [name, { seconds: seconds.get(name)!, ...(error !== undefined && { error }) }];
    }),
  );
}

async function warmUp(
  runRound: (round: number) => Promise<Map<string, number>>,
  most: number,
  stops: (done: number) => boolean,
): Promise<void> {
  let last = new Map<string, number>();
  for (let round = 0; round < most && !stops(round); round++) {
    const times = await runRound(round);
    const stable = [...times].every(([name, time]) => Math.abs(time / (last.get(name) ?? Number.NaN) - 1) < STABLE);
    if (stable) return;
    last = times;
  }
}
