import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** The launchers that tests run on, by the tag of a test that needs one. */
export const LAUNCHERS = {
  "mpi/openmpi": ["mpirun.openmpi", "--oversubscribe"],
  "mpi/mpich": ["mpirun.mpich"],
} as const;
export type Mpi = keyof typeof LAUNCHERS;

const BUNDLE = fileURLToPath(
  new URL("../../../node_modules/.cache/finegrain/distributed-program.mjs", import.meta.url),
);

/** Make the program of the ranks from the sources, beside the packages that it imports. */
export async function buildProgram(): Promise<string> {
  await mkdir(dirname(BUNDLE), { recursive: true });
  await build({
    entryPoints: [fileURLToPath(new URL("program.ts", import.meta.url))],
    outfile: BUNDLE,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    conditions: ["@finegrain/source"],
    external: ["koffi"],
  });
  return BUNDLE;
}

export interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly milliseconds: number;
}

/** Run Node so often at once, as ranks of one MPI. */
export function mpirun(mpi: Mpi, ranks: number, args: readonly string[]): Promise<Ended> {
  const [command, ...own] = LAUNCHERS[mpi];
  const asRoot = { OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" };
  const started = performance.now();
  return new Promise((resolve) => {
    const child = execFile(
      command,
      [...own, "-n", String(ranks), process.execPath, ...args],
      { env: { ...process.env, ...asRoot }, timeout: 25_000 },
      (_error, stdout, stderr) =>
        resolve({ code: child.exitCode, output: stdout + stderr, milliseconds: performance.now() - started }),
    );
  });
}
