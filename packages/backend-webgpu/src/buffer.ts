import { bytesOfType } from "@finegrain/codegen";
import {
  type Buffer,
  type DType,
  FinegrainError,
  type HostTensor,
  hostTensor,
  type TensorType,
  typeName,
} from "@finegrain/graph";
import type { Device } from "./device.ts";
import type { Failure } from "./failure.ts";
import type { Allocation } from "./pool.ts";

/** How the device's words are read. A bool is one of them. */
const words = {
  float32: Float32Array,
  int32: Int32Array,
  bool: Uint32Array,
  float16: Uint16Array,
  int8: Int8Array,
} as const;

/** What a buffer knows of the run that makes it. */
export interface Origin {
  /** Its bytes, where the run brings them to the host by itself. */
  readonly brought?: Promise<ArrayBuffer>;
  /** Called when it is read. */
  readonly onRead?: () => void;
}

/** A tensor on the device. */
export class WebGpuBuffer implements Buffer {
  readonly type: TensorType;
  readonly device: Device;
  readonly #allocation: Allocation;
  #gone: string | undefined;
  /** Resolves to why there are no numbers. */
  readonly #failure: Failure;
  readonly #origin: Origin;

  /** @param failure of the run that makes it. */
  constructor(device: Device, type: TensorType, allocation: Allocation, failure: Failure, origin: Origin = {}) {
    this.device = device;
    this.type = type;
    this.#allocation = allocation;
    this.#failure = failure;
    this.#origin = origin;
  }

  static upload(device: Device, { dtype, shape, data }: HostTensor): WebGpuBuffer {
    device.expectAlive();
    const type = { dtype, shape: [...shape] };
    const allocation = device.tensors.take(bytesOfType(type), typeName(type));
    const failure = device.write(allocation, 0, asWords(dtype, data), `the upload of ${typeName(type)}`);
    return new WebGpuBuffer(device, type, allocation, failure);
  }

  /** @throws FinegrainError where the buffer was donated to a run or disposed. */
  allocation(): Allocation {
    if (this.#gone !== undefined)
      throw new FinegrainError(`a buffer of ${typeName(this.type)} was used after it was ${this.#gone}`);
    return this.#allocation;
  }

  get failure(): Failure {
    return this.#failure;
  }

  /** The memory now belongs to a run. @param kept whether the run took it over for an output. */
  spend(run: string, kept: boolean): void {
    this.#release(`donated to a run of "${run}"`, kept);
  }

  /** A copy of the numbers. Rejects with the error of the run that should have made them. */
  async read(): Promise<HostTensor> {
    const { dtype, shape } = this.type;
    const allocation = this.allocation();
    this.#origin.onRead?.();
    const { brought } = this.#origin;
    const reading = brought?.then((bytes) => bytes.slice(0)) ?? this.device.read(allocation, bytesOfType(this.type));
    reading.catch(() => {}); // the run's own failure says more
    const failure = await this.#failure;
    if (failure) throw failure;
    const bytes = await reading;
    return hostTensor(dtype, shape, new words[dtype](bytes));
  }

  [Symbol.dispose](): void {
    this.#release("disposed", false);
  }

  #release(how: string, kept: boolean): void {
    if (this.#gone !== undefined) return;
    this.#gone = how;
    if (!kept) this.device.tensors.give(this.#allocation);
  }
}

/** An array as the device has it: a bool is a word, and all end at a multiple of four bytes. */
function asWords(dtype: DType, data: HostTensor["data"]): Uint8Array<ArrayBuffer> {
  const typed = data instanceof words[dtype] ? data : words[dtype].from(data);
  const bytes = new Uint8Array(typed.buffer as ArrayBuffer, typed.byteOffset, typed.byteLength); // never shared: see below
  if (bytes.length % 4 === 0 && !isShared(typed.buffer)) return bytes;
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  padded.set(bytes);
  return padded;
}

const isShared = (memory: ArrayBufferLike): boolean =>
  typeof SharedArrayBuffer !== "undefined" && memory instanceof SharedArrayBuffer;
