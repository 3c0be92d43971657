import { bytesOfType } from "@finegrain/codegen";
import { type HostTensor, hostTensor, size, type TensorType } from "@finegrain/graph";
import type { Memory } from "./memory.ts";

/** Where a tensor is in the engine's memory. */
export class Place {
  readonly address: number;

  private constructor(address: number) {
    this.address = address;
  }

  /** Room for a tensor, whose numbers are anything. */
  static take(memory: Memory, type: TensorType): Place {
    return new Place(memory.take(bytesOfType(type)));
  }

  static upload(memory: Memory, { dtype, shape, data }: HostTensor): Place {
    const place = Place.take(memory, { dtype, shape });
    memory.view(dtype, place.address, data.length).set(data);
    return place;
  }

  /** A copy of the numbers. */
  read(memory: Memory, { dtype, shape }: TensorType): HostTensor {
    return hostTensor(dtype, shape, memory.view(dtype, this.address, size(shape)).slice());
  }

  free(memory: Memory, type: TensorType): void {
    memory.give(this.address, bytesOfType(type));
  }
}
