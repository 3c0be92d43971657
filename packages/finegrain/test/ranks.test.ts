import { execFile, spawn } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { emptyFolder, finegrain, folderWithText, MAIN } from "./command-line.ts";

const LAUNCHERS = { openmpi: ["mpirun.openmpi", "--oversubscribe"], mpich: ["mpirun.mpich"] } as const;
const ENV = { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" };

const SMALL = [
  "--backend",
  "wasm",
  "--layers",
  "1",
  "--d-model",
  "16",
  "--heads",
  "2",
  "--length",
  "16",
  "--block-size",
  "4",
];
const rank = (args: readonly string[]) => [process.execPath, MAIN, "train", ...args, "--distributed", "mpi"];
/** The same through a shell that outlives it, and an interrupt, to say how it ended. */
const watchedRank = (args: readonly string[]) => [
  ...["sh", "-c", 'trap : INT; "$@"; code=$?; echo "rank ended with $code" >&2; exit $code', "rank"],
  ...rank(args),
];

interface Ended {
  readonly code: number | null;
  readonly output: string;
  /** Since the launcher was told something. */
  readonly milliseconds: number;
}

/**
 * Run `finegrain train` as ranks of one MPI.
 * @param onOutput called with what was written so far; what it does first is the moment from which the end is timed.
 */
function ranks(
  mpi: keyof typeof LAUNCHERS,
  commands: readonly string[],
  onOutput?: (output: string, launcher: number) => boolean,
): Promise<Ended> {
  const [command, ...own] = LAUNCHERS[mpi];
  const child = spawn(command, [...own, ...commands], { env: ENV });
  let [output, told] = ["", performance.now()];
  let isTold = false;
  const hear = (piece: string) => {
    output += piece;
    if (isTold || !onOutput?.(output, child.pid!)) return;
    isTold = true;
    told = performance.now();
  };
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", hear);
  return new Promise((resolve) => {
    child.on("close", (code) => resolve({ code, output, milliseconds: performance.now() - told }));
  });
}

/** The step of a run's last checkpoint; 0 where there is none. */
const lastStep = async (out: string): Promise<number> => {
  const names = await readdir(join(out, "checkpoints")).catch(() => []);
  return Math.max(
    0,
    ...names.filter((name) => name.startsWith("step-")).map((name) => Number.parseInt(name.slice(5), 10)),
  );
};

const modelOf = (folder: string, step: string) =>
  readFile(join(folder, "checkpoints", `step-${step}`, "model.safetensors"));

test("ranks learn the same as one process, and go on with each other's runs", {
  tags: ["mpi/openmpi", "mpi/mpich"],
}, async () => {
  const { folder, text } = await folderWithText();
  const [one, three] = [join(folder, "one"), join(folder, "three")];
  const config = [...SMALL, "--data", text, "--deterministic", "--steps", "4"];
  expect(
    await finegrain(["train", ...config, "--batch", "2", "--accumulate", "3", "--threads", "1", "--out", one]),
  ).toMatchObject({ code: 0 });
  const begun = await ranks("mpich", ["-n", "3", ...rank([...config, "--batch", "6", "--out", three])]);
  expect(begun.output).toMatch(/3 ranks, 3 of them on this machine, by MPICH/);
  expect(begun.output).toMatch(/% of the time between ranks/);
  expect(await modelOf(three, "000004")).toEqual(await modelOf(one, "000004"));

  const further = await ranks("openmpi", ["-n", "2", ...rank(["--resume", one, "--steps", "6", "--backend", "wasm"])]);
  expect(further.code, further.output).toBe(0);
  const alone = await finegrain(["train", "--resume", three, "--steps", "6", "--backend", "wasm", "--threads", "1"]);
  expect(alone.code, alone.stderr).toBe(0);
  expect(await modelOf(three, "000006")).toEqual(await modelOf(one, "000006"));
  const steps = (await readFile(join(one, "metrics.jsonl"), "utf8")).match(/"loss"/g);
  expect(steps).toHaveLength(6);
});

/** A training without end, told something once it has a checkpoint. */
async function interrupted(mpi: keyof typeof LAUNCHERS, tell: (launcher: number, out: string) => void) {
  const { folder, text } = await folderWithText();
  const out = join(folder, "run");
  const config = [...SMALL, "--data", text, "--batch", "2", "--steps", "1000000"];
  const often = ["--evaluate-every", "20", "--checkpoint-every", "20", "--out", out];
  const command = mpi === "mpich" ? watchedRank : rank;
  const ended = await ranks(mpi, ["-n", "2", ...command([...config, ...often])], (output, launcher) => {
    if (!/step 40:/.test(output)) return false;
    tell(launcher, out);
    return true;
  });
  expect(ended.milliseconds).toBeLessThan(10_000);
  const last = await lastStep(out);
  const on = await finegrain(["train", "--resume", out, "--steps", String(last + 2), "--backend", "wasm"]);
  expect(on.code, on.stderr).toBe(0);
  return ended;
}

test("a rank that is killed ends the other, and the last checkpoint is whole", {
  tags: "mpi/openmpi",
}, async () => {
  const { code, output } = await interrupted("openmpi", (launcher) => {
    void promisify(execFile)("pgrep", ["-P", String(launcher)]).then(({ stdout }) =>
      process.kill(Number(stdout.trim().split("\n").at(-1)), "SIGKILL"),
    );
  });
  expect(code).toBe(137);
  expect(output).toMatch(/process rank \d .*exited on signal 9/);
});

test("an interrupt ends all ranks with a checkpoint", { tags: "mpi/mpich" }, async () => {
  const { output } = await interrupted("mpich", (launcher) => process.kill(launcher, "SIGINT"));
  // What the ranks ended with, and not their launcher: on a busy machine that may forget it.
  expect(output.match(/^rank ended with \d+$/gm)).toEqual(["rank ended with 130", "rank ended with 130"]);
  expect(output).toMatch(/stopped after step \d+; go on with/);
});

/** By hand more often: benchmarks/distributed says how, and what came of it. */
const KILLS = Number(process.env.FINEGRAIN_KILLS ?? 3);
/** Milliseconds within which a rank is killed, after they have found each other. */
const LATEST_KILL = 3000;

test(`a rank that is killed at any of ${KILLS} moments leaves a run that goes on`, {
  tags: "mpi/openmpi",
  timeout: KILLS * 60_000,
}, async () => {
  const { folder, text } = await folderWithText();
  const out = join(folder, "run");
  const often = ["--evaluate-every", "7", "--checkpoint-every", "3"];
  const anew = [...SMALL, "--data", text, "--batch", "2", "--steps", "1000000", ...often, "--out", out];
  const isBegun = () => readFile(join(out, "config.json")).then(Boolean, () => false);
  for (let kill = 0; kill < KILLS; kill++) {
    const moment = Math.random() * LATEST_KILL;
    const victim = Math.random() < 0.5 ? -1 : -2;
    const args = (await isBegun()) ? ["--resume", out, "--backend", "wasm"] : anew;
    let killed = Number.NaN;
    const { code, output } = await ranks("openmpi", ["-n", "2", ...rank(args)], (output, launcher) => {
      if (!output.includes("2 ranks, 2 of them")) return false;
      setTimeout(async () => {
        // One of them has to leave a run.
        while (kill === KILLS - 1 && !(await isBegun())) await new Promise((wait) => setTimeout(wait, 50));
        const { stdout } = await promisify(execFile)("pgrep", ["-P", String(launcher)]);
        killed = performance.now();
        process.kill(Number(stdout.trim().split("\n").at(victim)), "SIGKILL");
      }, moment);
      return true;
    });
    expect(performance.now() - killed, output).toBeLessThan(10_000);
    expect(code, output).toBe(137);
  }
  const before = await lastStep(out);
  const on = await finegrain(["train", "--resume", out, "--steps", `${before + 2}`, "--backend", "wasm"]);
  expect(on.code, on.stderr).toBe(0);
  expect(await lastStep(out)).toBe(before + 2);
});

test("a suite is measured by ranks, and by each for itself", { tags: "mpi/openmpi" }, async () => {
  const folder = await emptyFolder();
  const [suite, json] = [join(folder, "suite.json"), join(folder, "results.jsonl")];
  const model = { vocabulary: 61, dModel: 16, dFf: 64, layers: 1, heads: 2, maxLength: 16 };
  const measure = { units: 1, rounds: 3, warmup: 1, batch: 2, length: 16 };
  const entry = { name: "t", phase: "train", model, variants: [{ name: "dense", model: {} }], measure };
  await writeFile(suite, JSON.stringify({ name: "tiny", title: "as small as it gets", cases: [entry] }));
  const bench = [
    process.execPath,
    MAIN,
    "bench",
    suite,
    "--backend",
    "wasm",
    "--rounds",
    "1",
    "--distributed",
    "mpi",
    "--json",
    json,
  ];
  const by = await ranks("openmpi", ["-n", "2", ...bench]);
  expect(by.code, by.output).toBe(0);
  const own = await ranks("openmpi", ["-n", "2", ...bench, "--each-host"]);
  expect(own.code, own.output).toBe(0);
  const lines = (await readFile(json, "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as object);
  const team = (ranks: number, scaling: string) =>
    expect.objectContaining({ ranks, scaling, ...(ranks > 1 && { communicationShare: expect.any(Number) }) });
  const alone = expect.objectContaining({ host: hostname(), variant: "dense", machine: expect.anything() });
  expect(lines).toEqual([team(1, "strong"), team(2, "strong"), team(1, "weak"), team(2, "weak"), alone, alone]);
});

test("ranks that are told different things refuse to begin, in one sentence", {
  tags: "mpi/openmpi",
}, async () => {
  const out = join(await emptyFolder(), "run");
  const as = (steps: string) => ["-n", "1", ...rank([...SMALL, "--batch", "2", "--steps", steps, "--out", out])];
  const { code, output } = await ranks("openmpi", [...as("3"), ":", ...as("4")]);
  expect(code).not.toBe(0);
  expect(output.match(/^finegrain: .*/gm)).toEqual([
    expect.stringMatching(
      /^finegrain: rank 0 of 2: rank 1 has another command line than rank 0: train .*--steps 4 .*, not train .*--steps 3 /,
    ),
  ]);
});

test("what is no engine is refused", async () => {
  const { code, stderr } = await finegrain(["train", "--distributed", "carrier-pigeons"]);
  expect([code, stderr]).toEqual([
    2,
    'finegrain: --distributed must be mpi, or mpi:PATH with a library, not "carrier-pigeons"\n',
  ]);
});
