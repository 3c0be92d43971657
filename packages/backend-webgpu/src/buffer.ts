import { bytesOfType } from "@finegrain/codegen";
import { type DType, type HostTensor, hostTensor, type TensorType, typeName } from "@finegrain/graph";
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
export class DeviceTensor {
  readonly allocation: Allocation;
  /** Resolves to why there are no numbers. */
  readonly failure: Failure;
  readonly #origin: Origin;

  /** @param failure of the run that makes it. */
  constructor(allocation: Allocation, failure: Failure, origin: Origin = {}) {
    this.allocation = allocation;
    this.failure = failure;
    this.#origin = origin;
  }

  static upload(device: Device, { dtype, shape, data }: HostTensor): DeviceTensor {
    device.expectAlive();
    const type = { dtype, shape };
    const allocation = device.tensors.take(bytesOfType(type), typeName(type));
    return new DeviceTensor(
      allocation,
      device.write(allocation, 0, asWords(dtype, data), `the upload of ${typeName(type)}`),
    );
  }

  /** A copy of the numbers. Rejects with the error of the run that should have made them. */
  async read(device: Device, type: TensorType): Promise<HostTensor> {
    this.#origin.onRead?.();
    const { brought } = this.#origin;
    const reading = brought?.then((bytes) => bytes.slice(0)) ?? device.read(this.allocation, bytesOfType(type));
    reading.catch(() => {}); // the run's own failure says more
    const failure = await this.failure;
    if (failure) throw failure;
    return hostTensor(type.dtype, type.shape, new words[type.dtype](await reading));
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
