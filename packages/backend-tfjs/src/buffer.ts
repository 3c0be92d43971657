import { type Buffer, FinegrainError, type HostTensor, type TensorType, typeName } from "@finegrain/graph";
import type { Machine } from "./machine.ts";

/** A tensor that an engine holds, until it is disposed or donated. */
export class TfjsBuffer<H> implements Buffer {
  readonly type: TensorType;
  readonly machine: Machine<H>;
  #handle: H | undefined;
  #gone: string | undefined;

  constructor(machine: Machine<H>, type: TensorType, handle: H) {
    this.machine = machine;
    this.type = type;
    this.#handle = handle;
  }

  /** @throws FinegrainError where the buffer was donated to a run or disposed. */
  handle(): H {
    if (this.#handle === undefined)
      throw new FinegrainError(`a buffer of ${typeName(this.type)} was used after it was ${this.#gone}`);
    return this.#handle;
  }

  /** The tensor now belongs to a run. */
  spend(run: string): H {
    const handle = this.handle();
    this.#gone = `donated to a run of "${run}"`;
    this.#handle = undefined;
    return handle;
  }

  read(): Promise<HostTensor> {
    return this.machine.read(this.handle(), this.type);
  }

  [Symbol.dispose](): void {
    if (this.#handle === undefined) return;
    this.machine.free(this.#handle);
    this.#gone = "disposed";
    this.#handle = undefined;
  }
}
