import { bytesOfType } from "@finegrain/codegen";
import {
  type Buffer,
  FinegrainError,
  type HostTensor,
  hostTensor,
  size,
  type TensorType,
  typeName,
} from "@finegrain/graph";
import type { Memory } from "./memory.ts";

/** A tensor in the engine's memory. */
export class WasmBuffer implements Buffer {
  readonly type: TensorType;
  readonly memory: Memory;
  readonly #address: number;
  #gone: string | undefined;
  /** Why there are no numbers: the error of the run that should have made them. */
  readonly #failure: unknown;

  constructor(memory: Memory, type: TensorType, address: number, failure?: unknown) {
    this.memory = memory;
    this.type = type;
    this.#address = address;
    this.#failure = failure;
  }

  static upload(memory: Memory, { dtype, shape, data }: HostTensor): WasmBuffer {
    const type = { dtype, shape: [...shape] };
    const address = memory.take(bytesOfType(type));
    memory.view(dtype, address, data.length).set(data);
    return new WasmBuffer(memory, type, address);
  }

  /** @throws FinegrainError where the buffer was donated to a run or disposed, or the run failed that should have made it. */
  address(): number {
    if (this.#gone !== undefined)
      throw new FinegrainError(`a buffer of ${typeName(this.type)} was used after it was ${this.#gone}`);
    if (this.#failure !== undefined) throw this.#failure;
    return this.#address;
  }

  /** The numbers now belong to a run. @param kept whether the run took the memory over. */
  spend(run: string, kept: boolean): void {
    this.#release(`donated to a run of "${run}"`, kept);
  }

  /** A copy of the numbers. Rejects with the error of the run that should have made them. */
  async read(): Promise<HostTensor> {
    const { dtype, shape } = this.type;
    const length = size(shape);
    const address = this.address();
    return hostTensor(dtype, shape, this.memory.view(dtype, address, length).slice());
  }

  [Symbol.dispose](): void {
    this.#release("disposed", false);
  }

  #release(how: string, kept: boolean): void {
    if (this.#gone !== undefined) return;
    this.#gone = how;
    if (!kept && this.#failure === undefined) this.memory.give(this.#address, bytesOfType(this.type));
  }
}
