import { interleave, median, timeDecode } from "@finegrain/bench";
import type { Generator } from "@finegrain/generate";

/** How decode is timed: tokens of a round, and rounds. */
export interface Timed {
  readonly units: number;
  readonly rounds: number;
  readonly warmup: number;
}

/** Decoded tokens a second of each generator behind a prompt, by its name: round by round in turns, the median. */
export async function decodeSpeeds(
  generators: ReadonlyMap<string, Generator>,
  prompt: Int32Array,
  timed: Timed,
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const contestants = [...generators].map(([name, generator]) => ({
    name,
    round: () => timeDecode(generator, prompt, timed.units),
  }));
  const samples = await interleave(contestants, { ...timed, signal });
  return new Map([...samples].map(([name, { seconds }]) => [name, 1 / median(seconds)]));
}
