import { expectKnown, openBackend } from "@finegrain/backends";
import type { Backend } from "@finegrain/graph";
import { UsageError } from "../exit.ts";

/** A backend that a command was asked for, and which of its devices; without a name, the default one. */
export interface Target {
  readonly backend: string | undefined;
  readonly device: string | undefined;
}

/** As the command line names it, and results a backend: "tfjs:wasm". */
export const targetName = ({ backend = "default", device }: Target): string =>
  device === undefined ? backend : `${backend}:${device}`;

export const openTarget = ({ backend, device }: Target): Promise<Backend> => openBackend(backend, device);

/**
 * What `--backend onnx,tfjs:wasm` and `--device native,wasm` ask for, in that order.
 *
 * @throws UsageError where a backend or device is not known, or devices are given for several backends.
 */
export function readTargets(backends: string | undefined, devices: string | undefined): Target[] {
  const names = backends?.split(",") ?? [undefined];
  if (devices !== undefined && (names.length > 1 || names[0]?.includes(":")))
    throw new UsageError(`--device ${devices} is of one backend: write ${names[0]?.split(":")[0]}:DEVICE in --backend`);
  const targets = names.flatMap((name): Target[] => {
    const [backend, device] = name?.split(":") ?? [];
    return devices === undefined
      ? [{ backend, device }]
      : devices.split(",").map((each) => ({ backend, device: each }));
  });
  for (const { backend, device } of targets) expectKnown(backend, device);
  return targets;
}
