import { type Buffer, FinegrainError, type HostTensor, type TensorType, typeName } from "@finegrain/graph";

export type Numbers = Float32Array | Int32Array | Uint8Array;

/** A value that a queued run will leave, or the error that it ends in. Runs are in order, so it is there when its users run. */
export interface Cell {
  value?: Numbers;
  error?: unknown;
}

/** A tensor in the host's memory, which is ONNX Runtime's on a CPU. Its numbers are there when the runs before are done. */
export class OnnxBuffer implements Buffer {
  readonly type: TensorType;
  /** The backend in whose queue the numbers are made. */
  readonly home: object;
  readonly #settled: Promise<unknown>;
  #cell: Cell | undefined;
  #gone: string | undefined;

  constructor(home: object, type: TensorType, cell: Cell, settled: Promise<unknown>) {
    this.home = home;
    this.type = type;
    this.#cell = cell;
    this.#settled = settled;
  }

  /** @throws FinegrainError where the buffer was donated to a run or disposed. */
  cell(): Cell {
    if (this.#cell === undefined)
      throw new FinegrainError(`a buffer of ${typeName(this.type)} was used after it was ${this.#gone}`);
    return this.#cell;
  }

  /** The numbers now belong to a run's output. */
  spend(run: string): void {
    this.#release(`donated to a run of "${run}"`);
  }

  /** A copy of the numbers. Rejects with the error of the run that should have made them. */
  async read(): Promise<HostTensor> {
    const cell = this.cell();
    await this.#settled;
    if (cell.value === undefined) throw cell.error;
    return { ...this.type, data: cell.value.slice() };
  }

  [Symbol.dispose](): void {
    this.#release("disposed");
  }

  #release(how: string): void {
    this.#gone ??= how;
    this.#cell = undefined;
  }
}
