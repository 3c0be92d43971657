/*
 * What a step of several ranks takes, on paper: Every rank computes its part of the batch, sends each other its part of the gradients,
 * and gathers what all have updated.
 */

/** Bytes of a weight, and of its gradient. */
const FLOAT = 4;

/** A model, and how fast one rank computes with it. */
export interface ScaledModel {
  /** All that are trained: those of every expert, too. */
  readonly parameters: number;
  /** Seconds of the forward and the backward pass of one rank's part of a step, before it is cut any further. */
  readonly computeSeconds: number;
}

/** What carries messages between ranks. */
export interface Network {
  /** Bytes a second that a rank sends while all do: where ranks share a machine's link, its part of it. */
  readonly bandwidth: number;
  /** Seconds until a message of nothing is there. */
  readonly latency: number;
}

/** A step of so many ranks. */
export interface ScaledStep {
  readonly ranks: number;
  /** That every rank sends, and receives. */
  readonly bytes: number;
  readonly computeSeconds: number;
  readonly communicationSeconds: number;
  /** Of the time that as many ranks would save if messages took none: computing, in parts of the step. */
  readonly efficiency: number;
}

/**
 * Bytes that a rank sends in a step: to every other its part of the gradients, and its own part of the updated weights.
 *
 *   2 · 4 · P · (n - 1) / n
 *
 * As many as a ring sends that sums gradients alone (Patarasuk and Yuan 2009), since what is gathered is not gradients but weights.
 */
export const stepBytes = (parameters: number, ranks: number): number => (2 * FLOAT * parameters * (ranks - 1)) / ranks;

/**
 * A step of `ranks`, each of which has its own part of the batch.
 *
 *   communication = bytes / bandwidth + latency · (2 (n - 1) + 2 ⌈log₂ n⌉)
 *
 * The second part are the messages of an exchange in pairs, a ring that gathers, and a sum of few numbers over a tree.
 *
 * @param scaling "weak": a rank's part stays the same, so that a step has more tokens with every rank; "strong": the step stays the
 *   same, and a rank's part is that of one rank divided by their number.
 */
export function scaledStep(
  { parameters, computeSeconds: ofOne }: ScaledModel,
  { bandwidth, latency }: Network,
  { ranks, scaling }: { readonly ranks: number; readonly scaling: "weak" | "strong" },
): ScaledStep {
  const bytes = stepBytes(parameters, ranks);
  const computeSeconds = scaling === "weak" ? ofOne : ofOne / ranks;
  const messages = 2 * (ranks - 1) + 2 * Math.ceil(Math.log2(ranks));
  const communicationSeconds = bytes / bandwidth + latency * messages;
  const efficiency = computeSeconds / (computeSeconds + communicationSeconds);
  return { ranks, bytes, computeSeconds, communicationSeconds, efficiency };
}

/** The fewest ranks, by powers of two up to `most`, that spend more time in messages than in computing; undefined where none do. */
export function boundByMessages(
  model: ScaledModel,
  network: Network,
  { scaling, most = 1024 }: { readonly scaling: "weak" | "strong"; readonly most?: number },
): number | undefined {
  for (let ranks = 2; ranks <= most; ranks *= 2) {
    const { communicationSeconds, computeSeconds } = scaledStep(model, network, { ranks, scaling });
    if (communicationSeconds > computeSeconds) return ranks;
  }
  return undefined;
}
