import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** The launchers that tests run on, by the tag of a test that needs one. */
export const LAUNCHERS = {
  "mpi/openmpi": ["mpirun.openmpi", "--oversubscribe"],
  "mpi/mpich": ["mpirun.mpich"],
} as const;
export type Mpi = keyof typeof LAUNCHERS;

const CACHE = fileURLToPath(new URL("../../../node_modules/.cache/finegrain", import.meta.url));

/**
 * Make a program of ranks from its TypeScript, where Node finds the packages that it imports.
 * @param name of its file beside this one, without the ending.
 */
export async function buildProgram(name: string): Promise<string> {
  const outfile = join(CACHE, `${name}.mjs`);
  await build({
    entryPoints: [fileURLToPath(new URL(`${name}.ts`, import.meta.url))],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    packages: "external",
  });
  return outfile;
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  /** With what was written to stderr. */
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
      { env: { ...process.env, ...asRoot }, timeout: 100_000 },
      (_error, stdout, stderr) =>
        resolve({ code: child.exitCode, stdout, output: stdout + stderr, milliseconds: performance.now() - started }),
    );
  });
}
