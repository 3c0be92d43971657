import { FinegrainError } from "@finegrain/graph";
import type { LibraryHandle } from "koffi";

const OPEN_MPI = ["libmpi.so.40", "libmpi.40.dylib"] as const;
const MPICH = ["libmpi.so.12", "libmpich.so.12", "libmpi.12.dylib"] as const;

/** What a launcher says to the processes that it starts. */
type Environment = Readonly<Record<string, string | undefined>>;

/** Names of the library, those of the launcher that started this process first: each knows its own library alone. */
export function libraryNames(env: Environment): string[] {
  const isMpich = env.PMI_SIZE !== undefined && env.OMPI_COMM_WORLD_SIZE === undefined;
  return [...(isMpich ? [...MPICH, ...OPEN_MPI] : [...OPEN_MPI, ...MPICH]), "libmpi.so", "libmpi.dylib"];
}

/** How many processes the launcher says that it started; undefined where it says nothing. */
export function launchedSize(env: Environment): number | undefined {
  const said =
    env.OMPI_COMM_WORLD_SIZE ?? env.PMI_SIZE ?? (env.SLURM_PROCID === undefined ? undefined : env.SLURM_NTASKS);
  return said === undefined ? undefined : Number(said);
}

/** @throws FinegrainError with what to install, where koffi or the library is not there. */
export async function loadLibrary(named: string | undefined): Promise<{ library: LibraryHandle; path: string }> {
  const koffi = await import("koffi").catch((cause: unknown) => {
    throw new FinegrainError("MPI is called through the package koffi, which is not here: npm install koffi", {
      cause,
    });
  });
  // UCX, which MPICH is often built with, writes over the first instructions of mmap and its like while threads of Node are in them, to hear when
  // memory comes and goes, which may crash these. Without that it registers memory for every message anew.
  process.env.UCX_MEM_EVENTS ??= "no";
  for (const path of named === undefined ? libraryNames(process.env) : [named]) {
    try {
      return { library: koffi.load(path), path };
    } catch {
      // The next name; where none is there, the sentence below.
    }
  }
  throw new FinegrainError(
    `there is no library of MPI here (${named ?? "libmpi.so or libmpich.so"}): install Open MPI or MPICH, on Debian by apt-get install openmpi-bin or mpich`,
  );
}
