import { fusing, type ScheduleOptions } from "@finegrain/codegen";
import { type Backend, createBackend, type Driver, FinegrainError, inTurns } from "@finegrain/graph";
import { DeviceTensor } from "./buffer.ts";
import { Clock } from "./clock.ts";
import { Device } from "./device.ts";
import { Loaded, WebGpuProgram } from "./executable.ts";
import { adapterName, deviceInfo, isDawnOpen, limitsOf, openGpu, requestAdapter } from "./gpu.ts";
import { Naps } from "./naps.ts";
import type { Target } from "./render/target.ts";

export interface WebGpuOptions {
  /** A software adapter, by its own name. Default false: one is used only where there is no GPU. */
  readonly software?: boolean;
  /** Sums between the invocations of a subgroup. Default: where the adapter has them. */
  readonly subgroups?: boolean;
  /**
   * In what products of matrices are multiplied. With "float16" both operands are rounded to it, what is beyond 65504 becomes infinite, and
   * no more than four products are summed before float32 takes over. Products of few rows stay in float32: memory bounds them. Default "float32".
   */
  readonly arithmetic?: "float32" | "float16";
  /** Kernels that one dispatch runs at most. More of them run faster, and take longer to compile. Default 12. */
  readonly kernelsPerDispatch?: number;
  /** Bytes of a binding at most: a larger tensor is bound in parts. Default: what the adapter has, which is also the most. A multiple of 256. */
  readonly bindingBytes?: number;
  /** A `GPU`, such as `navigator.gpu`. Default: the browser's, or Dawn's in Node. */
  readonly gpu?: GpuEntry;
}

/** Of WebGPU's `GPU` what tells it from anything else, so that our declarations need none of WebGPU's. */
export interface GpuEntry {
  requestAdapter(options?: object): Promise<object | null>;
  readonly wgslLanguageFeatures: object;
}

/**
 * WebGPU as a backend: in a browser, or in Node through the package `webgpu`.
 * @throws FinegrainError where there is no WebGPU, no adapter, or not what the options ask for.
 */
export async function webgpuBackend(options: WebGpuOptions = {}): Promise<Backend> {
  const gpu = (options.gpu as GPU | undefined) ?? (await openGpu()); // see GpuEntry
  const adapter = await requestAdapter(gpu, options.software ?? false);
  const target = targetOf(adapter, options);
  const device = await adapter.requestDevice({
    requiredFeatures: featuresOf(adapter, target),
    requiredLimits: limitsOf(adapter),
  });
  const name = `${adapterName(adapter)}${target.half ? ", float16 arithmetic" : ""}`;
  const naps = target.cpu && isDawnOpen() ? new Naps() : undefined;
  const scheduling = {
    maxBuffers: adapter.limits.maxStorageBuffersPerShaderStage,
    maxKernels: options.kernelsPerDispatch ?? 12,
    lanes: target.lanes,
    ...(target.cpu ? { rows: 2 * target.cores } : { steps: STEPS }),
  };
  return createBackend(driver(new Device(`webgpu:${name}`, device, target, naps), adapter, scheduling));
}

const featuresOf = (adapter: GPUAdapter, { subgroup, half }: Target): GPUFeatureName[] => {
  const wanted = [...(subgroup > 1 ? ["subgroups"] : []), ...(half ? ["shader-f16"] : []), "timestamp-query"];
  // Features of the standard, whose types tfjs brings in an older form that lacks some.
  return wanted.filter((feature) => (adapter.features as ReadonlySet<string>).has(feature)) as GPUFeatureName[];
};

/** Invocations of a workgroup on a GPU. */
const LANES = 256;
/** Steps that so many do together in the time that starting another dispatch takes. */
const STEPS = { few: 2 ** 13, many: 2 ** 16 };
/** Invocations that a GPU runs at once, about. */
const MOST_LANES = 2 ** 17;
/** As {@link LANES}, on a CPU that does not tell how long its vectors are: a workgroup is one, so that no lane waits for another at a barrier. */
const CPU_LANES = 8;

/** Cores of this machine; two where a runtime does not tell, as Node 20 does not. */
function cores(): number {
  const { navigator } = globalThis as { navigator?: { hardwareConcurrency?: number } }; // which Node's types lack
  return navigator?.hardwareConcurrency ?? 2;
}

function targetOf(adapter: GPUAdapter, options: WebGpuOptions): Target {
  const { subgroups = true, bindingBytes, arithmetic = "float32" } = options;
  const software = adapter.info.isFallbackAdapter;
  const half = arithmetic === "float16";
  if (half && !adapter.features.has("shader-f16"))
    throw new FinegrainError(`${adapterName(adapter)} has no float16 arithmetic (the WebGPU feature shader-f16)`);
  const most = adapter.limits.maxStorageBufferBindingSize;
  const tiles = half || !software;
  const lanes = software ? (adapter.info.subgroupMinSize ?? CPU_LANES) : LANES;
  return {
    lanes,
    wanted: software ? 2 * lanes * cores() : MOST_LANES,
    cpu: software,
    cores: software ? cores() : 1,
    tiles,
    half,
    subgroup: subgroups && adapter.features.has("subgroups") ? (adapter.info.subgroupMinSize ?? 1) : 1,
    workgroupBytes: adapter.limits.maxComputeWorkgroupStorageSize,
    bindingBytes: Math.floor(Math.min(bindingBytes ?? most, most) / 256) * 256,
  };
}

/** How a device serves graphs. */
const driver = (device: Device, adapter: GPUAdapter, scheduling: ScheduleOptions): Driver<DeviceTensor> => ({
  name: device.name,
  device: deviceInfo(adapter),
  unsupported: new Set(),
  storage: new Set(["float16", "int8", "int4"] as const),
  memoryInUse: () => device.tensors.bytes + device.staging.bytes,
  upload: (value) => DeviceTensor.upload(device, value),
  read: (tensor, type) => tensor.read(device, type),
  free: ({ allocation }) => device.tensors.give(allocation),
  async compile(graph, { donate, profile }) {
    device.expectAlive();
    const program = await inTurns(fusing(graph, donate, { copyOperands: false, computeParts: true, int4: true }));
    const loaded = await Loaded.load(device, program, scheduling);
    const isTimed = profile && device.gpu.features.has("timestamp-query");
    const clock = isTimed
      ? new Clock(
          device,
          loaded.steps.map(({ shader }) => shader),
        )
      : undefined;
    return new WebGpuProgram(loaded, donate, clock);
  },
  [Symbol.asyncDispose]: async () => device.close(),
});
