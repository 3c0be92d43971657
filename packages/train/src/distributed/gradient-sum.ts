import type { Communicator } from "@finegrain/distributed";
import { shareOf } from "./share.ts";

/** Sums the gradients of a step's micro-batches over all ranks. */
export interface GradientSum {
  /** Add the gradients of this rank's next micro-batch, laid out in regions. */
  add(fill: (flat: Float32Array) => void): void;
  /** The sums of this rank's region, once all of its micro-batches are in. All ranks are asked together. */
  exchange(): Float32Array;
}

/**
 * Each rank sends every other its region of what it has, and adds up what comes: as many bytes as a reduction, less time than MPI's own takes, and
 * in an order of our own.
 *
 * @param region elements of a rank's region of a flat array.
 * @param deterministic whether the micro-batches are added one by one in their order, whatever rank each is of; else a rank sends the sum
 *   of its own, which are fewer messages where it has several.
 */
export function gradientSum(
  communicator: Communicator,
  { region, accumulate, deterministic }: { region: number; accumulate: number; deterministic: boolean },
): GradientSum {
  const { rank, size } = communicator;
  const shares = Array.from({ length: size }, (_, of) => shareOf(accumulate, { size, rank: of }));
  const partsOf = (of: number) => (deterministic ? shares[of]!.end - shares[of]!.start : 1);
  const rounds = Math.max(...shares.map((_, of) => partsOf(of)));
  const flat = () => new Float32Array(size * region);
  const own = Array.from({ length: partsOf(rank) }, flat);
  const more = own.length < rounds ? flat() : undefined; // what a rank sends that has nothing more
  const received = Array.from({ length: rounds }, flat);
  const [micro, sums] = [flat(), new Float32Array(region)];
  let added = 0;
  return {
    add(fill) {
      const part = own[deterministic ? added : 0]!;
      if (deterministic || added === 0) fill(part);
      else {
        fill(micro);
        addTo(part, micro);
      }
      added++;
    },
    exchange() {
      added = 0;
      for (const [round, into] of received.entries()) communicator.allToAll(own[round] ?? more!, into);
      sums.fill(0);
      for (let of = 0; of < size; of++)
        for (let round = 0; round < partsOf(of); round++)
          addTo(sums, received[round]!.subarray(of * region, (of + 1) * region));
      return sums;
    },
  };
}

/** sums += terms */
export function addTo(sums: Float32Array, terms: Float32Array): void {
  for (let i = 0; i < sums.length; i++) sums[i]! += terms[i]!;
}
