/** What is known of an input of matrices before shares are chosen. */
export interface InputFacts {
  /** Weights of the matrices that it goes into. */
  readonly weights: number;
  /** Loss of the model where only the larger half of its values counts, of each token. */
  readonly lossAtHalf: number;
  /** Of its squares the part that is in the smallest values, for each number of {@link STEPS} steps. */
  readonly energy: readonly number[];
}

/** Parts in which shares are chosen. */
export const STEPS = 20;
/** Steps that can be left out at most: of every input something counts. */
const MOST = STEPS - 2;

/** The loss that is expected where so many steps of an input's values are left out: as their squares are to those of half of them. */
const expected = ({ lossAtHalf, energy }: InputFacts, steps: number): number =>
  (lossAtHalf * energy[steps]!) / Math.max(energy[STEPS / 2]!, Number.MIN_VALUE);

/**
 * For each input the share of values that count, such that the losses that are expected of all inputs sum to at most `loss`: again and again a
 * step where it costs least for the weights that it spares.
 */
export function cheapestShares(inputs: readonly InputFacts[], loss: number): number[] {
  const steps = inputs.map(() => 0);
  const price = (i: number) => expected(inputs[i]!, steps[i]! + 1) - expected(inputs[i]!, steps[i]!);
  let spent = 0;
  for (;;) {
    let best = -1;
    for (const [i, { weights }] of inputs.entries())
      if (steps[i]! < MOST && (best < 0 || price(i) / weights < price(best) / inputs[best]!.weights)) best = i;
    if (best < 0 || spent + price(best) > loss) return steps.map((n) => 1 - n / STEPS);
    spent += price(best);
    steps[best]!++;
  }
}

/** The part of all weights that is read. */
export function shareOfWeights(inputs: readonly InputFacts[], shares: readonly number[]): number {
  const [read, all] = [shares, shares.map(() => 1)].map((each) =>
    each.reduce((sum, share, i) => sum + share * inputs[i]!.weights, 0),
  );
  return read! / all!;
}
