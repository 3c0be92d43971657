import { BLOCK, blockAt, blocksOf, type Piece, type Trained, unitOf } from "./shards.ts";

/**
 * The numbers of a step that all ranks have to know, each of one rank and zero on the others until they are summed: of every
 * micro-batch its loss and metrics, and of every block of every parameter the squares of its gradient. So what is computed of them comes
 * out the same bit for bit, whatever the number of ranks.
 */
export class StepFacts {
  readonly numbers: Float64Array;
  readonly #accumulate: number;
  readonly #names: readonly string[];
  readonly #params: ReadonlyMap<string, Trained>;
  /** Where the blocks of a parameter begin. */
  readonly #blocks = new Map<string, number>();

  constructor(params: ReadonlyMap<string, Trained>, accumulate: number, metricNames: readonly string[]) {
    this.#params = params;
    this.#accumulate = accumulate;
    this.#names = metricNames;
    let at = accumulate * this.#width;
    for (const [path, own] of params) {
      this.#blocks.set(path, at);
      at += blocksOf(own);
    }
    this.numbers = new Float64Array(at);
  }

  /** Numbers of a micro-batch: its loss, and its metrics. */
  get #width(): number {
    return 1 + this.#names.length;
  }

  addMicro(micro: number, values: readonly number[]): void {
    this.numbers.set(values, micro * this.#width);
  }

  /** The squares of the pieces of a region. */
  addSquares(pieces: readonly Piece[], sums: Float32Array): void {
    for (const { path, start, end, offset } of pieces) {
      const [own, first] = [this.#params.get(path)!, this.#blocks.get(path)!];
      const unit = unitOf(own);
      for (let from = start; from < end; ) {
        let squares = 0;
        // Pieces begin and end where blocks do.
        const to = Math.min(from + BLOCK, from - (from % unit) + unit, end);
        for (let i = offset + from - start; i < offset + to - start; i++) squares += sums[i]! * sums[i]!;
        this.numbers[first + blockAt(own, from)] = squares;
        from = to;
      }
    }
  }

  /** What they come to, once they are summed over the ranks. */
  result() {
    const count = this.#accumulate;
    const ofMicro = (what: number) =>
      Array.from({ length: count }, (_, micro) => this.numbers[micro * this.#width + what]!);
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / count;
    const losses = ofMicro(0);
    const squares = this.numbers.subarray(count * this.#width).reduce((sum, value) => sum + value, 0);
    return {
      loss: mean(losses),
      metrics: Object.fromEntries(this.#names.map((name, i) => [name, mean(ofMicro(1 + i))])),
      /** Length of the mean of the micro-batches' gradients. */
      norm: Math.sqrt(squares) / count,
      /** The first micro-batch whose loss is not finite; -1 where all are. */
      unusable: losses.findIndex((loss) => !Number.isFinite(loss)),
    };
  }
}
