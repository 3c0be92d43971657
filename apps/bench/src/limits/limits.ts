import type { Contestant } from "../measure/method.ts";

/** Ways to reach one of the machine's limits. A round of each gives seconds a unit: a byte, a floating-point operation. */
export interface Probe extends AsyncDisposable {
  readonly contestants: readonly Contestant[];
}

/** What the machine can do at the most, as it was in the rounds of what is compared with it. 0 where nothing told. */
export interface Limits {
  /** Bytes of memory read a second, and what read them. */
  readonly bandwidth: number;
  readonly bandwidthMethod: string;
  /** fp32 operations a second of a large matrix product, and of which. */
  readonly flopRate: number;
  readonly flopMethod: string;
}
