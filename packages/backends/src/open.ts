import { type Backend, FinegrainError, UnknownNameError } from "@finegrain/graph";

interface Entry<D extends string = string> {
  /** Where no device is asked for, the backend's own choice is taken. */
  readonly devices: readonly D[];
  open(device: D | undefined, threads: number | undefined): Promise<Backend>;
  /** Whether it computes in threads of this process, as many as it is told. */
  readonly threaded?: boolean;
}

/** Ties the device that `open` takes to the devices that are listed. */
const entry = <const D extends string>(definition: Entry<D>): Entry<D> => definition;

/** Every backend, in the order in which they are listed. */
const BACKENDS = {
  onnx: entry({
    devices: ["cpu", "webgpu", "cuda"],
    threaded: true,
    async open(device, threads) {
      const { onnxBackend } = await import("@finegrain/backend-onnx");
      return onnxBackend({ ...(device !== undefined && { device }), ...(threads !== undefined && { threads }) });
    },
  }),
  tfjs: entry({
    devices: ["native", "wasm", "cuda", "cpu"],
    async open(device) {
      const { tfjsBackend } = await import("@finegrain/backend-tfjs");
      return tfjsBackend(device === undefined ? {} : { device });
    },
  }),
  wasm: entry({
    devices: ["cpu", "memory64"],
    threaded: true,
    async open(device, threads) {
      const { wasmBackend } = await import("@finegrain/backend-wasm");
      return wasmBackend({ memory64: device === "memory64", ...(threads !== undefined && { threads }) });
    },
  }),
  webgpu: entry({
    devices: ["gpu", "float16", "software"],
    async open(device) {
      const { webgpuBackend } = await import("@finegrain/backend-webgpu");
      return webgpuBackend({
        software: device === "software",
        arithmetic: device === "float16" ? "float16" : "float32",
      });
    },
  }),
  reference: entry({
    devices: ["cpu"],
    async open() {
      const { referenceBackend } = await import("@finegrain/graph");
      return referenceBackend();
    },
  }),
};

export type BackendName = keyof typeof BACKENDS;
type Device<N extends BackendName> = (typeof BACKENDS)[N]["devices"][number];

/** Which backend, on which of its devices. */
export type BackendOptions = {
  [N in BackendName]: {
    /** Default: onnx where onnxruntime-node is installed and loads, else wasm, which needs nothing but this runtime. */
    readonly name?: N | undefined;
    /** Default: the backend's own choice. */
    readonly device?: Device<N> | undefined;
    /** Of backends that compute in threads of this process, onnx and wasm. Default: one for every processor. */
    readonly threads?: number | undefined;
  };
}[BackendName];

/** What runs where no backend is asked for: the first that is there. */
const PREFERRED = ["onnx", "wasm"] as const satisfies readonly BackendName[];

/** Every backend with its devices, in the order in which they are listed. */
export const knownDevices = (): { backend: BackendName; device: string }[] =>
  Object.entries(BACKENDS).flatMap(([backend, { devices }]) =>
    devices.map((device) => ({ backend: backend as BackendName, device })),
  );

/**
 * Open a backend; its package is loaded by this. Where none is named and the preferred one does not open, the `device` of
 * the one that stands in for it says why, as its `fallback`.
 *
 * @throws UnknownNameError where the name or the device is not known, FinegrainError where it is known but not there: the
 *   sentence says what would add it.
 */
export async function openBackend(options: BackendOptions = {}): Promise<Backend> {
  const { name, device } = backendOptions(options.name, options.device);
  const { threads } = options;
  if (name === undefined) return openPreferred(device, threads);
  if (threads !== undefined && !isThreaded(options))
    throw new FinegrainError(`backend ${name} cannot be told how many threads to use: onnx and wasm can`);
  return (BACKENDS[name] as Entry).open(device, threads); // the device was just looked up in its list
}

/**
 * Names, as a person gives them, as options. Without a name a device is one of the preferred backend's.
 * @throws UnknownNameError with the known ones.
 */
export function backendOptions(name: string | undefined, device: string | undefined): BackendOptions {
  const known = name ?? PREFERRED[0];
  if (!Object.hasOwn(BACKENDS, known))
    throw new UnknownNameError(`unknown backend "${known}": known are ${Object.keys(BACKENDS).join(", ")}`);
  const { devices } = BACKENDS[known as BackendName] as Entry;
  if (device !== undefined && !devices.includes(device))
    throw new UnknownNameError(`backend ${known} has no device "${device}": known are ${devices.join(", ")}`);
  return { name, device } as BackendOptions; // both were just looked up
}

/** Whether a backend computes in threads of this process, as many as it is told. */
export const isThreaded = ({ name = PREFERRED[0] }: BackendOptions): boolean =>
  (BACKENDS[name] as Entry).threaded === true;

async function openPreferred(device: BackendOptions["device"], threads: number | undefined): Promise<Backend> {
  const [native, embedded] = PREFERRED;
  try {
    return await openBackend({ name: native, device, threads } as BackendOptions); // the device is one of the native backend's
  } catch (error) {
    // A device that was asked for is not to be replaced by another.
    if (device !== undefined) throw error;
    const backend = await openBackend({ name: embedded, threads });
    const fallback = `${embedded} runs in place of ${native}: ${(error as Error).message}`; // none throws anything else
    return { ...backend, device: { ...backend.device, fallback } };
  }
}
