import type { Limits } from "../limits/limits.ts";
import type { Contestant, Rounds } from "../measure/method.ts";
import { interquartile } from "../measure/statistics.ts";
import type { ModelFigures, OpFigures } from "../results/result.ts";

/** A variant of a case, compiled and ready to be measured. */
export interface Prepared<F = ModelFigures | OpFigures> extends AsyncDisposable {
  readonly name: string;
  /** The variant itself under its own name, and what else has to be measured beside it. */
  readonly contestants: readonly Contestant[];
  /** What the rounds say of it; asked for once it has samples. */
  figures(rounds: Rounds, limits: Limits): F;
  /** Rate of its own matrix products where they are measured beside it: floating-point operations a second. */
  productRate?(rounds: Rounds): number;
}

/** @param seconds of a unit, which is so many tokens, by round. */
export function tokenSpeed(
  seconds: readonly number[],
  tokens: number,
): Pick<ModelFigures, "tokensPerSecond" | "millisecondsPerToken"> {
  const tokensPerSecond = interquartile(seconds.map((time) => tokens / time));
  return { tokensPerSecond, millisecondsPerToken: 1000 / tokensPerSecond.median };
}
