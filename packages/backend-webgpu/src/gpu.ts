import { type DeviceInfo, FinegrainError } from "@finegrain/graph";

/**
 * The WebGPU of a browser, or Dawn's through the package `webgpu` in Node.
 * @throws FinegrainError where there is neither.
 */
export async function openGpu(): Promise<GPU> {
  const { navigator } = globalThis as { navigator?: { gpu?: GPU } }; // which Node's types lack
  if (navigator?.gpu) return navigator.gpu;
  if (!globalThis.process?.versions?.node)
    throw new FinegrainError("this browser has no WebGPU: current Chrome, Edge, Firefox and Safari have it");
  dawn ??= import("./dawn.ts").then(({ createDawn }) => createDawn());
  return dawn;
}

/** Node's `navigator.gpu`: one for the process, as in a page, since Dawn ends the process where a GPU that is still in use is collected. */
let dawn: Promise<GPU> | undefined;

/** Whether {@link openGpu} opened Dawn in Node, whose work is done by the event loop of this thread. */
export const isDawnOpen = (): boolean => dawn !== undefined;

/**
 * A GPU; a software adapter where it is asked for, or where there is no other.
 * @throws FinegrainError where there is none.
 */
export async function requestAdapter(gpu: GPU, software: boolean): Promise<GPUAdapter> {
  // Dawn finds lavapipe by a wish for software only after a wish for any adapter.
  const wishes: readonly GPURequestAdapterOptions[] = software
    ? [{ forceFallbackAdapter: true }, {}, { forceFallbackAdapter: true }]
    : [{ powerPreference: "high-performance" }, { powerPreference: "low-power" }, {}];
  const found: GPUAdapter[] = [];
  for (const wish of wishes) {
    const adapter = await gpu.requestAdapter(wish);
    if (adapter?.info.isFallbackAdapter === software) return adapter;
    if (adapter) found.push(adapter);
  }
  const [other] = found;
  if (other && !software) return other;
  throw new FinegrainError(
    software
      ? "WebGPU found no software adapter: on Linux, Mesa's lavapipe (mesa-vulkan-drivers 25 or later) is one"
      : "WebGPU found no adapter: a GPU with a Vulkan, Metal or Direct3D 12 driver is needed, or a software one",
  );
}

/** What an adapter calls itself, with "(software)" behind it where it is no hardware. */
export function adapterName({ info }: GPUAdapter): string {
  const name = cardOf(info) || driverOf(info) || info.device || familyOf(info) || "unnamed adapter";
  return `${name}${info.isFallbackAdapter ? " (software)" : ""}`;
}

const driverOf = ({ description }: GPUAdapterInfo): string | undefined => description.split(":")[0]?.trim();

/** The card of a driver that gives no name of it, but its vendor's, as NVIDIA's does; else "". */
const cardOf = (info: GPUAdapterInfo): string =>
  driverOf(info)?.toLowerCase() === info.vendor.toLowerCase() ? info.device : "";

const familyOf = ({ vendor, architecture }: GPUAdapterInfo): string => `${vendor} ${architecture}`.trim();

/** Limits of an adapter that bound what runs on it. They are asked for in full. */
export const limitsOf = ({ limits }: GPUAdapter): Record<string, number> =>
  Object.fromEntries(
    (
      [
        "maxBufferSize",
        "maxStorageBufferBindingSize",
        "maxStorageBuffersPerShaderStage",
        "maxComputeWorkgroupStorageSize",
        "maxComputeInvocationsPerWorkgroup",
      ] as const
    ).map((name) => [name, limits[name]]),
  );

/** An adapter with its driver, as `finegrain devices` shows it. */
export const deviceInfo = (adapter: GPUAdapter): DeviceInfo => ({
  kind: "webgpu",
  description: [cardOf(adapter.info), adapter.info.description].filter(Boolean).join(", ") || adapterName(adapter),
  provider: `WebGPU (${familyOf(adapter.info)})`,
  ...(adapter.info.isFallbackAdapter && { software: true }),
  features: [...adapter.features].sort(),
  limits: limitsOf(adapter),
});
