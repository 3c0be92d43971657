import { type DeviceInfo, expectComputeDType, type HostTensor, type TensorType } from "@finegrain/graph";
import type { Lowerings } from "../lowering.ts";
import type { Machine } from "../machine.ts";
import type { ProgramBuilder, Value } from "../program-builder.ts";
import { attention } from "./attention.ts";
import { type Binding, DT } from "./binding.ts";
import { elementwise } from "./elementwise.ts";
import { OwnTensors } from "./in-place.ts";
import { indexing } from "./indexing.ts";
import { norms } from "./norms.ts";
import { Operations, operation } from "./operations.ts";
import { matMul, products } from "./products.ts";
import { random } from "./random.ts";
import { reductions } from "./reductions.ts";
import { shapes } from "./shape.ts";

/** TensorFlow itself, operation by operation. A tensor is its number in the binding's table. */
export class TensorFlowMachine implements Machine<number> {
  readonly device: DeviceInfo;
  readonly inPlace: OwnTensors;
  readonly #binding: Binding;
  readonly #identity: (ids: readonly number[]) => number;

  constructor(binding: Binding, device: DeviceInfo) {
    this.device = device;
    this.#binding = binding;
    this.#identity = operation(binding, "Identity", {});
    this.inPlace = new OwnTensors(binding);
  }

  upload(value: HostTensor): number {
    const { shape, data } = value;
    const dtype = expectComputeDType("tfjs", value);
    const array = dtype === "float32" ? Float32Array : dtype === "int32" ? Int32Array : Uint8Array;
    return this.#binding.createTensor(shape, DT[dtype], array.from(data));
  }

  async read(handle: number, type: TensorType): Promise<HostTensor> {
    return { ...type, data: this.#binding.tensorDataSync(handle) };
  }

  free(handle: number): void {
    this.inPlace.lend(handle);
    this.#binding.deleteTensor(handle);
  }

  share(handle: number): number {
    this.inPlace.lend(handle);
    return this.#identity([handle]);
  }

  scope(body: () => number[]): number[] {
    return body();
  }

  /** The binding puts the number of the status on a line of its own. */
  reasonOf({ message }: Error): string {
    return message.replace(/^Invalid TF_Status: \d+\nMessage: /, "");
  }

  settled(builder: ProgramBuilder<number>, value: Value): Value {
    return new Operations(builder, this.#binding).settled(value);
  }

  lowerings(builder: ProgramBuilder<number>): Lowerings {
    const tf = new Operations(builder, this.#binding);
    return {
      ...elementwise(tf),
      ...shapes(tf),
      ...reductions(tf),
      ...norms(tf),
      ...indexing(tf),
      ...products(tf),
      ...attention(tf, matMul(tf)),
      ...random(tf),
    };
  }
}
