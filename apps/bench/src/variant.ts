import type { Contestant, Samples } from "./method.ts";

/** A variant of a case, compiled and ready to be measured. */
export interface Prepared extends AsyncDisposable {
  readonly name: string;
  readonly parameters: number;
  /** Tokens of the unit that a round's time is given by: 1 in decode, those of a batch in training. */
  readonly tokensPerUnit: number;
  /** The variant itself under its own name, and what else has to be measured beside it. */
  readonly contestants: readonly Contestant[];
  /** Bytes that a decode step reads, known once a round has run; null in training. */
  bytesPerToken(): number | null;
  /** See `Measurement.rooflineShare`. */
  rooflineShare(samples: ReadonlyMap<string, Samples>, limits: { readonly bandwidth: number }): number;
  /** Rate of the products that were measured alone, where they were: floating-point operations a second. */
  gemmFlopsPerSecond(samples: ReadonlyMap<string, Samples>): number | undefined;
}
