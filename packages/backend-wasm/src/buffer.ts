import { bytesOfType } from "@finegrain/codegen";
import { type HostTensor, hostTensor, size, type TensorType } from "@finegrain/graph";
import type { Memory } from "./memory.ts";

/** Where a tensor is in the engine's memory. */
export class Place {
  readonly #address: number;
  /** Why there are no numbers: the error of the run that should have made them. */
  readonly #failure: unknown;

  constructor(address: number, failure?: unknown) {
    this.#address = address;
    this.#failure = failure;
  }

  static upload(memory: Memory, { dtype, shape, data }: HostTensor): Place {
    const address = memory.take(bytesOfType({ dtype, shape }));
    memory.view(dtype, address, data.length).set(data);
    return new Place(address);
  }

  /** @throws the error of the run that should have made the numbers. */
  get address(): number {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#address;
  }

  /** A copy of the numbers. */
  read(memory: Memory, { dtype, shape }: TensorType): HostTensor {
    return hostTensor(dtype, shape, memory.view(dtype, this.address, size(shape)).slice());
  }

  free(memory: Memory, type: TensorType): void {
    if (this.#failure === undefined) memory.give(this.#address, bytesOfType(type));
  }
}
