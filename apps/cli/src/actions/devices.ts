import type { Values } from "../arguments.ts";
import { knownDevices, openBackend } from "../backends.ts";
import type { devicesFlags } from "../commands/devices.ts";
import { EXIT, type ExitCode, failure } from "../exit.ts";
import { bytes } from "../output/format.ts";
import { table } from "../output/table.ts";
import { terminal } from "../output/terminal.ts";

interface Found {
  readonly backend: string;
  readonly device: string;
  readonly available: boolean;
  /** What it is; or, where it is not there, why, with the command that adds it. */
  readonly description: string;
}

/** `finegrain devices`: open every device of every backend and say what was there. */
export async function devices(values: Values<typeof devicesFlags>): Promise<ExitCode> {
  const found: Found[] = [];
  // One after the other: two engines that look for a GPU at once may get into each other's way.
  for (const { backend, device } of knownDevices()) found.push(await look(backend, device));
  const out = terminal({ quiet: values.json });
  if (values.json) out.write(`${JSON.stringify(found, null, 2)}\n`);
  const rows = found.map(({ backend, device, available, description }) => [
    backend,
    device,
    available ? "yes" : "no",
    description,
  ]);
  const left = (title: string) => ({ title, align: "left" as const });
  out.print(table([left("backend"), left("device"), left("there"), left("what it is, or how to add it")], rows));
  return EXIT.ok;
}

async function look(name: string, device: string): Promise<Found> {
  try {
    await using backend = await openBackend(name, device);
    const { description, provider, memory, threads } = backend.device;
    const facts = [threads !== undefined && `${threads} threads`, memory !== undefined && bytes(memory)].filter(
      Boolean,
    );
    return {
      backend: name,
      device,
      available: true,
      description: [`${description}, ${provider}`, ...facts].join(", "),
    };
  } catch (error) {
    return { backend: name, device, available: false, description: failure(error).text };
  }
}
