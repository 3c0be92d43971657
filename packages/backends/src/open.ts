import type { Engine } from "@finegrain/backend-tfjs";
import type { Backend } from "@finegrain/graph";
import { UnknownNameError } from "@finegrain/graph";

/** A backend that the command can name. The only place that does. */
interface Entry {
  /** Where no device is asked for, the first runs, or what the backend itself takes for the best. */
  readonly devices: readonly string[];
  /** The npm package of the engine, where it is not ours. */
  readonly engine?: string;
  open(device: string | undefined): Promise<Backend>;
}

const BACKENDS: Readonly<Record<string, Entry>> = {
  onnx: {
    devices: ["cpu", "webgpu", "cuda"],
    engine: "onnxruntime-node",
    async open(device) {
      const { onnxBackend } = await import("@finegrain/backend-onnx");
      return onnxBackend(device === undefined ? {} : { device: device as "cpu" | "webgpu" | "cuda" }); // one of `devices` above
    },
  },
  tfjs: {
    devices: ["native", "wasm", "cuda", "cpu"],
    async open(device) {
      const { tfjsBackend } = await import("@finegrain/backend-tfjs");
      return tfjsBackend(device === undefined ? {} : { device: device as Engine }); // one of `devices` above
    },
  },
  wasm: {
    devices: ["cpu", "memory64"],
    async open(device) {
      const { wasmBackend } = await import("@finegrain/backend-wasm");
      return wasmBackend({ memory64: device === "memory64" });
    },
  },
  webgpu: {
    devices: ["gpu", "float16", "software"],
    async open(device) {
      const { webgpuBackend } = await import("@finegrain/backend-webgpu");
      return webgpuBackend({
        software: device === "software",
        arithmetic: device === "float16" ? "float16" : "float32",
      });
    },
  },
  reference: {
    devices: ["cpu"],
    async open() {
      const { referenceBackend } = await import("@finegrain/graph");
      return referenceBackend();
    },
  },
};

/** Every backend with its devices, in the order in which they are listed. */
export const knownDevices = (): { backend: string; device: string }[] =>
  Object.entries(BACKENDS).flatMap(([backend, { devices }]) => devices.map((device) => ({ backend, device })));

/** What runs where no backend is asked for: the first that is there. The last needs nothing but this runtime. */
const PREFERRED = ["onnx", "wasm"] as const;

/**
 * Open a backend on a device; its package is loaded by this.
 *
 * @param name default onnx, or wasm where onnxruntime-node is not installed.
 * @param device default the backend's own choice.
 * @throws UnknownNameError where the backend or the device is not known, FinegrainError where it is known but not there: the
 *   sentence says what would add it.
 */
export async function openBackend(name: string | undefined, device?: string): Promise<Backend> {
  const entry = expectKnown(name, device);
  if (name === undefined) return openPreferred(device);
  try {
    return await entry.open(device);
  } catch (error) {
    throw await explained(error, name, entry);
  }
}

/** @throws UnknownNameError where the backend or the device is not known. Without a name, the first of `PREFERRED` is meant. */
export function expectKnown(name: string = PREFERRED[0], device?: string): Entry {
  const entry = Object.hasOwn(BACKENDS, name) ? BACKENDS[name]! : undefined;
  if (!entry) throw new UnknownNameError(`unknown backend "${name}": known are ${Object.keys(BACKENDS).join(", ")}`);
  if (device !== undefined && !entry.devices.includes(device))
    throw new UnknownNameError(`backend ${name} has no device "${device}": known are ${entry.devices.join(", ")}`);
  return entry;
}

async function openPreferred(device: string | undefined): Promise<Backend> {
  const [native, embedded] = PREFERRED;
  try {
    return await openBackend(native, device);
  } catch (error) {
    // A device that was asked for is not to be replaced by another.
    if (device !== undefined) throw error;
    return openBackend(embedded);
  }
}

/** A package that is not installed as the sentence that says how to add it; any other error as it is. */
async function explained(error: unknown, name: string, { engine }: Entry): Promise<unknown> {
  const code = (error as NodeJS.ErrnoException).code;
  if (engine === undefined || !["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND", "ERR_DLOPEN_FAILED"].includes(code ?? ""))
    return error;
  const { FinegrainError } = await import("@finegrain/graph");
  const reason = code === "ERR_DLOPEN_FAILED" ? "could not be loaded" : "is not installed";
  return new FinegrainError(`backend ${name} needs the package ${engine}, which ${reason}: npm install ${engine}`);
}
