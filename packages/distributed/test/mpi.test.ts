import { beforeAll, describe, expect, test } from "vitest";
import { openMpi } from "../src/mpi/index.ts";
import { buildProgram, type Mpi, mpirun } from "./mpirun.ts";

let program: string;
beforeAll(async () => {
  program = await buildProgram("program");
});

const libraries: readonly [Mpi, string, string][] = [
  ["mpi/openmpi", "Open MPI", "libmpich.so.12"],
  ["mpi/mpich", "MPICH", "libmpi.so.40"],
];
describe.each(libraries)("%s", (mpi, name, foreign) => {
  test("three ranks agree on every collective", { tags: mpi }, async () => {
    const { code, output } = await mpirun(mpi, 3, [program, "all"]);
    expect(output).toMatch(new RegExp(`^${name} v?\\d+\\.\\d+\\.\\d+$`, "m"));
    expect(code).toBe(0);
  });

  test.each([
    ["throw", /rank 1 of 2 failed: Error: rank 1 is broken/],
    ["exit", /^/], // without a word: what MPI says of it is sometimes lost with the process
  ])("a rank that ends by %s ends the other", { tags: mpi }, async (how, said) => {
    const { code, output, milliseconds } = await mpirun(mpi, 2, [program, how]);
    expect(code).not.toBe(0);
    expect(output).toMatch(said);
    expect(milliseconds).toBeLessThan(10_000);
  });

  test("the library of another MPI is refused", { tags: ["mpi/openmpi", "mpi/mpich"] }, async () => {
    const { code, output } = await mpirun(mpi, 2, [program, "all", foreign]);
    expect(output).toMatch(`2 processes were started, of which ${foreign} sees 1: it belongs to another MPI`);
    expect(code).not.toBe(0);
  });
});

test("a library that is not there is said with what to install", async () => {
  await expect(openMpi({ library: "libnone.so" })).rejects.toThrow(
    "there is no library of MPI here (libnone.so): install Open MPI or MPICH, on Debian by apt-get install openmpi-bin or mpich",
  );
});
