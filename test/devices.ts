import { execFile } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { npmChromium } from "./npm-chromium.ts";

/** What some tests run on and `npm ci` may not bring, as `finegrain devices` calls it, with the command that adds it. */
const ADDED_BY = {
  webgpu: "scripts/setup-tests.sh adds a Vulkan driver",
  "webgpu:software": "scripts/setup-tests.sh adds a Vulkan driver in software",
  "webgpu:float16": "scripts/setup-tests.sh adds a Vulkan driver that has it",
  chromium: "scripts/setup-tests.sh adds it",
  "tfjs:native": "npm run build:tfjs-node adds it",
  "mpi:openmpi": "scripts/setup-tests.sh adds Open MPI",
  "mpi:mpich": "scripts/setup-tests.sh adds MPICH",
  /** No device, but a model of 98 MB. */
  smollm2: "scripts/fetch-smollm2.sh fetches it",
} as const;

export type Device = keyof typeof ADDED_BY;
export const DEVICES = Object.keys(ADDED_BY) as readonly Device[];

/** How a browser is started, as Playwright takes it. */
export interface ChromiumLaunch {
  readonly executablePath: string;
  readonly env?: NodeJS.ProcessEnv;
}

export interface Found {
  readonly devices: readonly Device[];
  /** The browser, where there is one. */
  readonly chromium: ChromiumLaunch | undefined;
  /** What the processes of tests need in their environment, from their start on. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Where tests find a browser and a Vulkan driver: the system's, which whoever owns the machine chose and which knows
 * its hardware; where it has none, those that npm brought. A GPU may be there without a driver in software: then that
 * one is npm's.
 */
export async function findDevices(): Promise<Found> {
  const system = { env: {}, devices: await webgpuDevices({}) };
  const vulkan = system.devices.includes("webgpu:software") ? system : ((await npmVulkan()) ?? system);
  const chromium = systemChromium() ?? (await launchOfNpm());
  return {
    chromium,
    env: vulkan.env,
    devices: [
      ...vulkan.devices,
      ...(chromium ? (["chromium"] as const) : []),
      ...nativeTfjs(),
      ...mpis(),
      ...fetchedModel(),
    ],
  };
}

async function npmVulkan(): Promise<Pick<Found, "env" | "devices"> | undefined> {
  const npm = await npmChromium();
  return npm && { env: npm.driverEnv, devices: await webgpuDevices(npm.driverEnv) };
}

async function launchOfNpm(): Promise<ChromiumLaunch | undefined> {
  const npm = await npmChromium();
  return npm && { executablePath: npm.executablePath, env: { ...process.env, ...npm.env } };
}

interface Adapter {
  readonly software: boolean;
  readonly features: readonly string[];
}

/** What Dawn finds in a process of this environment: nothing where there is no Dawn. */
async function webgpuDevices(env: Readonly<Record<string, string>>): Promise<Device[]> {
  const script = fileURLToPath(new URL("find-adapters.mjs", import.meta.url));
  const options = { env: { ...process.env, ...env }, timeout: 60_000 };
  const said = await promisify(execFile)(process.execPath, [script], options).catch(() => ({ stdout: "[]" }));
  const [first, ...others] = JSON.parse(said.stdout) as Adapter[]; // as find-adapters.mjs writes it
  if (!first) return [];
  const devices: Device[] = ["webgpu"];
  if ([first, ...others].some(({ software }) => software)) devices.push("webgpu:software");
  if (first.features.includes("shader-f16")) devices.push("webgpu:float16");
  return devices;
}

function systemChromium(): ChromiumLaunch | undefined {
  const executablePath = inPath("chromium", "chromium-browser", "google-chrome");
  return executablePath === undefined ? undefined : { executablePath };
}

/** Where the first of these commands is. */
function inPath(...names: string[]): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find(isExecutable);
}

/** The launchers by the names that they have where both are installed, as Debian does. */
const mpis = (): Device[] =>
  (["openmpi", "mpich"] as const).filter((name) => inPath(`mpirun.${name}`)).map((name) => `mpi:${name}` as const);

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function nativeTfjs(): Device[] {
  try {
    createRequire(import.meta.url).resolve("@tensorflow/tfjs-node");
    return ["tfjs:native"];
  } catch {
    return [];
  }
}

/** Where scripts/fetch-smollm2.sh puts the model. */
const SMOLLM2 = new URL("../node_modules/.cache/finegrain/smollm2-135m-instruct.gguf", import.meta.url);
const fetchedModel = (): Device[] => (existsSync(SMOLLM2) ? ["smollm2"] : []);

/** The sentence of each device that is not there. */
export const missing = (devices: readonly string[]): string[] =>
  DEVICES.filter((device) => !devices.includes(device)).map(
    (device) => `${device} was not tested: ${ADDED_BY[device]}`,
  );

/**
 * Check that what has to be tested can be.
 * @param required what FINEGRAIN_REQUIRE names: "webgpu,chromium,tfjs:native".
 * @throws Error where a device is not there, or is none.
 */
export function checkRequired(required: string, devices: readonly string[]): void {
  for (const name of required.split(",").filter(Boolean)) {
    const device = DEVICES.find((known) => known === name);
    if (!device) throw new Error(`FINEGRAIN_REQUIRE names "${name}": known are ${DEVICES.join(", ")}`);
    if (!devices.includes(device))
      throw new Error(`FINEGRAIN_REQUIRE names ${device}, which is not here: ${ADDED_BY[device]}`);
  }
}
