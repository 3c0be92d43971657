import { openGpu } from "../src/gpu.ts";

/** An object as it is, but for some members. */
export function altered<T extends object>(target: T, members: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      const value: unknown = Reflect.get(name in members ? members : target, name);
      return typeof value === "function" ? value.bind(target) : value; // Dawn's own know no proxy
    },
  });
}

/** The real GPU, whose adapters and devices are altered. */
export async function alteredGpu(
  alter: (device: GPUDevice) => Partial<GPUDevice>,
  ofAdapter: (adapter: GPUAdapter) => Partial<GPUAdapter> = () => ({}),
): Promise<GPU> {
  const gpu = await openGpu();
  const requestAdapter = async (options?: GPURequestAdapterOptions): Promise<GPUAdapter | null> => {
    const adapter = await gpu.requestAdapter(options);
    if (!adapter) return null;
    const requestDevice = async (descriptor?: GPUDeviceDescriptor): Promise<GPUDevice> => {
      const device = await adapter.requestDevice(descriptor);
      return altered(device, alter(device));
    };
    return altered(adapter, { requestDevice, ...ofAdapter(adapter) });
  };
  return altered(gpu, { requestAdapter });
}
