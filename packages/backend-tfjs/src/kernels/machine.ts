import { type DeviceInfo, expectComputeDType, type HostTensor, hostTensor, type TensorType } from "@finegrain/graph";
import type * as Tf from "@tensorflow/tfjs-core";
import type { Lowerings } from "../lowering.ts";
import type { InPlace, Machine } from "../machine.ts";
import type { ProgramBuilder, Value } from "../program-builder.ts";
import { elementwise } from "./elementwise.ts";
import { indexing } from "./indexing.ts";
import { Kernels, type Numbers } from "./kernels.ts";
import { expectRoom, outOfMemory } from "./memory.ts";
import { products } from "./products.ts";
import { random } from "./random.ts";
import { reductions } from "./reductions.ts";
import { Rows } from "./rows.ts";
import { shapes } from "./shape.ts";

type Library = typeof Tf;
type Tensor = Tf.Tensor;

/** tfjs's kernels for WebAssembly, or its plain ones. A tensor is tfjs's own, counted by its engine. */
export class KernelMachine implements Machine<Tensor> {
  readonly device: DeviceInfo;
  readonly inPlace: InPlace<Tensor>;
  readonly #tf: Library;
  readonly #engine: "wasm" | "cpu";
  readonly #view: (tensor: Tensor) => Numbers;

  /** @param engine tfjs's backend, which is open. */
  constructor(tf: Library, engine: "wasm" | "cpu", device: DeviceInfo) {
    this.#tf = tf;
    this.#engine = engine;
    this.device = device;
    // tfjs's types of its backends are not at hand where they are loaded: these are their public methods.
    const backend = tf.backend() as unknown as {
      typedArrayFromHeap(tensor: Tensor): Float32Array;
      readSync(id: Tensor["dataId"]): Float32Array;
    };
    this.#view = (x) => (engine === "wasm" ? backend.typedArrayFromHeap(x) : backend.readSync(x.dataId));
    this.inPlace = new Rows(tf, this.#view);
  }

  upload(value: HostTensor): Tensor {
    const { shape, data } = value;
    const dtype = expectComputeDType("tfjs", value);
    this.#activate();
    if (this.#engine === "wasm") expectRoom(this.#tf.memory().numBytes, data.byteLength);
    const own = hostTensor(dtype, shape, data.slice());
    return this.#tf.keep(this.#tf.engine().makeTensor(own.data as Float32Array, [...shape], dtype)); // the dtype's array
  }

  async read(handle: Tensor, { dtype, shape }: TensorType): Promise<HostTensor> {
    return hostTensor(dtype, shape, (await handle.data()).slice());
  }

  free(handle: Tensor): void {
    handle.dispose();
  }

  share(handle: Tensor): Tensor {
    return this.#tf.keep(handle.clone());
  }

  /** One tidy, with this backend as the one that tfjs's engine runs. */
  scope(body: () => Tensor[]): Tensor[] {
    this.#activate();
    return this.#tf.tidy(() => body().map((tensor) => this.#tf.keep(tensor)));
  }

  reasonOf(error: Error): string {
    return (this.#engine === "wasm" ? outOfMemory(error) : undefined) ?? error.message;
  }

  lowerings(builder: ProgramBuilder<Tensor>): Lowerings {
    const k = new Kernels(builder, { tf: this.#tf, engine: this.#engine, view: this.#view });
    return { ...elementwise(k), ...shapes(k), ...reductions(k), ...indexing(k), ...products(k), ...random(k) };
  }

  settled(_: unknown, value: Value): Value {
    return value;
  }

  /** tfjs's engine is one for the whole process, and moves a tensor of another backend than its own through the host. */
  #activate(): void {
    // What it does for a backend that is open already, it has done when it returns.
    if (this.#tf.getBackend() !== this.#engine) void this.#tf.setBackend(this.#engine);
  }
}
