import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { backendOptions, knownDevices, openBackend } from "@finegrain/backends";
import type { Values } from "../../arguments.ts";
import { EXIT, type ExitCode, failure, UsageError } from "../../exit.ts";
import { bytes, whole } from "../../output/format.ts";
import { terminal } from "../../output/terminal.ts";
import { wrap } from "../../output/wrap.ts";
import type { devicesFlags } from "./flags.ts";

interface Found {
  readonly backend: string;
  readonly device: string;
  readonly available: boolean;
  /** What it is; or, where it is not there, why, with the command that adds it. */
  readonly description: string;
  readonly features?: readonly string[];
  readonly limits?: Readonly<Record<string, number>>;
}

/** `finegrain devices`: open every device of every backend and say what was there. */
export async function devices(values: Values<typeof devicesFlags>): Promise<ExitCode> {
  const known = knownDevices();
  const asked = known.filter(
    ({ backend, device }) => values.only === undefined || values.only === `${backend}:${device}`,
  );
  if (asked.length === 0) {
    const names = known.map(({ backend, device }) => `${backend}:${device}`);
    throw new UsageError(`there is no device "${values.only}": known are ${names.join(", ")}`);
  }
  const found = await Promise.all(asked.map(values.only === undefined ? lookApart : look));
  const out = terminal({ quiet: values.json });
  if (values.json) out.write(`${JSON.stringify(found, null, 2)}\n`);
  const width = Math.max(...found.map((one) => nameOf(one).length));
  const indent = " ".repeat(width + 7);
  const told = new Map<string, string>();
  for (const one of found) {
    out.print(`${nameOf(one).padEnd(width)}  ${one.available ? out.style.green("yes") : "no "}  ${one.description}`);
    const lines = factsOf(one);
    const facts = lines.join();
    const before = told.get(facts);
    told.set(facts, before ?? nameOf(one));
    for (const line of before === undefined ? lines : [`with what ${before} has`])
      for (const part of wrap(line, (process.stdout.columns ?? Number.POSITIVE_INFINITY) - indent.length))
        out.print(out.style.dim(indent + part));
  }
  return EXIT.ok;
}

const nameOf = ({ backend, device }: Pick<Found, "backend" | "device">) => `${backend}:${device}`;

/** Features in one line, limits in another, where there are any. */
const factsOf = ({ features = [], limits = {} }: Found): string[] =>
  [features, Object.entries(limits).map(([name, limit]) => `${name} ${whole(limit)}`)]
    .filter((facts) => facts.length > 0)
    .map((facts) => facts.join(", "));

type Asked = ReturnType<typeof knownDevices>[number];

/** In a process of its own: a driver that crashes, or that writes to stderr, does neither here. */
async function lookApart(asked: Asked): Promise<Found> {
  const main = process.argv[1] ?? fileURLToPath(import.meta.url);
  const args = [main, "devices", "--json", "--only", `${asked.backend}:${asked.device}`];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args);
    return JSON.parse(stdout)[0] as Found; // printed by `devices` above
  } catch (error) {
    const { signal } = error as { signal?: string };
    const description = `its driver ended the process${signal ? ` by ${signal}` : ""} when it was opened`;
    return { ...asked, available: false, description };
  }
}

async function look({ backend: name, device }: Asked): Promise<Found> {
  try {
    await using backend = await openBackend(backendOptions(name, device));
    const { description, provider, memory, threads, software, features, limits } = backend.device;
    const facts = [
      description,
      software && "no GPU but software",
      provider,
      threads !== undefined && `${threads} threads`,
      memory !== undefined && bytes(memory),
    ];
    return {
      backend: name,
      device,
      available: true,
      description: facts.filter(Boolean).join(", "),
      ...(features && { features }),
      ...(limits && { limits }),
    };
  } catch (error) {
    return { backend: name, device, available: false, description: failure(error).text };
  }
}
