import type { Backend } from "@finegrain/graph";
import type { Contestant, Samples } from "../measure/method.ts";
import { median } from "../measure/statistics.ts";
import { prepareBandwidth } from "./bandwidth.ts";
import { prepareFlopRate } from "./flop-rate.ts";
import type { Limits, Probe } from "./limits.ts";

/** The machine's limits, to be measured in turns with what they limit: on a shared machine they are others every second. */
export interface LimitProbes extends AsyncDisposable {
  readonly contestants: readonly Contestant[];
  of(samples: ReadonlyMap<string, Samples>): Limits;
}

export async function prepareLimits(backend: Backend): Promise<LimitProbes> {
  const bandwidth = await prepareBandwidth(backend);
  const flops = await prepareFlopRate(backend);
  return {
    contestants: [...bandwidth.contestants, ...flops.contestants],
    of(samples) {
      const [memory, arithmetic] = [fastest(bandwidth, samples), fastest(flops, samples)];
      return {
        bandwidth: memory.rate,
        bandwidthMethod: memory.method,
        flopRate: arithmetic.rate,
        flopMethod: arithmetic.method,
      };
    },
    async [Symbol.asyncDispose]() {
      await bandwidth[Symbol.asyncDispose]();
      await flops[Symbol.asyncDispose]();
    },
  };
}

/** The way with the best median, and its units a second. */
function fastest({ contestants }: Probe, samples: ReadonlyMap<string, Samples>): { rate: number; method: string } {
  const rates = contestants.map(({ name }) => ({ method: name, rate: 1 / median(samples.get(name)!.seconds) }));
  // One that failed has no samples, and so no rate.
  const measured = rates.filter(({ rate }) => Number.isFinite(rate));
  return measured.reduce((a, b) => (b.rate > a.rate ? b : a), { method: "none", rate: 0 });
}
