import { type BackendOptions, backendOptions } from "@finegrain/backends";
import { UsageError } from "../exit.ts";

/** As the command line names it, and results a backend: "tfjs:wasm". */
export const backendLabel = ({ name, device }: BackendOptions): string =>
  [name ?? "default", device].filter((part) => part !== undefined).join(":");

/**
 * What `--backend onnx,tfjs:wasm` and `--device native,wasm` ask for, in that order.
 *
 * @throws UsageError where devices are given for several backends, UnknownNameError where a name is not known.
 */
export function readBackendNames(backends: string | undefined, devices: string | undefined): BackendOptions[] {
  const names = backends?.split(",") ?? [undefined];
  if (devices !== undefined && (names.length > 1 || names[0]?.includes(":")))
    throw new UsageError(`--device ${devices} is of one backend: write ${names[0]?.split(":")[0]}:DEVICE in --backend`);
  return names.flatMap((given) => {
    const [name, device] = given?.split(":") ?? [];
    return (devices?.split(",") ?? [device]).map((each) => backendOptions(name, each));
  });
}
