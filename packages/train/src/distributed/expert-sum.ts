import type { Communicator } from "@finegrain/distributed";
import type { HostTensor } from "@finegrain/graph";
import type { SharedExperts } from "../train-step.ts";
import { addTo } from "./gradient-sum.ts";
import type { Piece, Shards } from "./shards.ts";

/**
 * Sums the gradients of this rank's experts over a step's micro-batches: of all ranks, since theirs came here with their tokens. Where they are
 * apart, they are added one by one in the order of the micro-batches, of which rank r has those from r · perRank on.
 */
export class ExpertSum {
  readonly #pieces: readonly Piece[];
  readonly #terms: readonly Float32Array[];
  readonly #sums: Float32Array;
  readonly #apart: boolean;
  readonly #perRank: number;
  readonly #ranks: number;
  #added = 0;

  constructor(
    { rank }: Communicator,
    { region, pieces }: Shards,
    { ranks, apart, accumulate }: SharedExperts & { readonly accumulate: number },
  ) {
    this.#pieces = pieces[rank]!;
    this.#apart = apart;
    this.#ranks = ranks;
    this.#perRank = accumulate / ranks;
    this.#sums = new Float32Array(region);
    this.#terms = Array.from({ length: apart ? accumulate : 1 }, () => new Float32Array(region));
  }

  /** The gradients, by path, of the micro-batch that every rank has now. */
  add(gradients: ReadonlyMap<string, HostTensor>): void {
    if (this.#added === 0) this.#sums.fill(0);
    for (let source = 0; source < (this.#apart ? this.#ranks : 1); source++) {
      const term = this.#terms[this.#apart ? source * this.#perRank + this.#added : 0]!;
      for (const { path, start, end, offset } of this.#pieces) {
        const length = end - start;
        const data = gradients.get(path)!.data as Float32Array; // as every gradient is
        term.set(data.subarray(source * length, (source + 1) * length), offset);
      }
      if (!this.#apart) addTo(this.#sums, term);
    }
    this.#added++;
  }

  /** Once all micro-batches are in. */
  take(): Float32Array {
    this.#added = 0;
    if (this.#apart) for (const term of this.#terms) addTo(this.#sums, term);
    return this.#sums;
  }
}
