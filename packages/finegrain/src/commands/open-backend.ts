import { type BackendOptions, openBackend } from "@finegrain/backends";
import type { Backend } from "@finegrain/graph";
import type { Terminal } from "../output/terminal.ts";

/** Open a command's backend, and say where it stands in for a preferred one that does not open. */
export async function openNoting(out: Terminal, options: BackendOptions): Promise<Backend> {
  const backend = await openBackend(options);
  if (backend.device.fallback !== undefined) out.note(backend.device.fallback);
  return backend;
}
