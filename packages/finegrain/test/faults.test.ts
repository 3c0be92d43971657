import { execFile, execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { quoted } from "../src/output/hint.ts";
import { finegrain, folderWithText, MAIN, TINY } from "./command-line.ts";

const MODEL = fileURLToPath(new URL("../../runs/test/pretrained/cases/llama/model.gguf", import.meta.url));

let folder: string;
let text: string;

beforeAll(async () => {
  ({ folder, text } = await folderWithText());
});

/** Files of the newest checkpoint that a run is in, and the losses of its steps. */
async function stateOf(run: string) {
  const checkpoints = join(run, "checkpoints");
  const newest = join(checkpoints, (await readFile(join(checkpoints, "latest"), "utf8")).trim());
  const read = (name: string) => readFile(join(newest, name), "base64");
  const metrics = (await readFile(join(run, "metrics.jsonl"), "utf8")).trim().split("\n");
  const losses = metrics.map((line) => JSON.parse(line)).flatMap(({ step, loss }) => (loss ? [[step, loss]] : []));
  return { losses, model: await read("model.safetensors"), optimizer: await read("optimizer.safetensors") };
}

/** Kills, which `FINEGRAIN_KILLS` makes more. */
const KILLS = Number(process.env.FINEGRAIN_KILLS ?? 2);
const FLAGS = [...TINY, "--steps", "40", "--checkpoint-every", "3", "--evaluate-every", "10"];

/** Train undisturbed, and as often as there are kills killed and resumed: hands `check` both folders. */
async function killAndResume(
  which: readonly string[],
  kills: number,
  check: (whole: string, resumed: string) => unknown,
) {
  const train = (out: string) => ["train", ...FLAGS, ...which, "--data", text, "--out", out];
  const whole = join(folder, which.join());
  const { code, milliseconds } = await finegrain(train(whole));
  expect(code).toBe(0);
  for (let kill = 0; kill < kills; kill++) {
    const out = `${whole}-${kill}`;
    const after = (0.15 + 0.8 * Math.random()) * milliseconds;
    await killed(train(out), after);
    const again = existsSync(join(out, "config.json")) ? ["train", "--resume", out, ...which] : train(out);
    const resumed = await finegrain(again);
    expect(resumed, `killed after ${after} ms`).toMatchObject({ code: 0 });
    expect(resumed.stderr).not.toContain("finegrain:"); // Dawn says what it likes
    await check(whole, out);
    const left = (await readdir(join(out, "checkpoints"))).filter((name) => name.startsWith("."));
    expect(left).toEqual([]);
  }
}
const TIMEOUT = 60_000 * (KILLS + 1);
const sameBits = async (whole: string, resumed: string) => expect(await stateOf(resumed)).toEqual(await stateOf(whole));

describe("training that is killed goes on bit for bit as if it had not been", () => {
  test.each(["onnx", "wasm", "tfjs --device wasm", "tfjs --device cpu"])(
    "on %s",
    (named) => killAndResume(["--backend", ...named.split(" ")], KILLS, sameBits),
    TIMEOUT,
  );
  test("on webgpu", { tags: "webgpu/software", timeout: TIMEOUT }, () =>
    killAndResume(["--backend", "webgpu"], Math.ceil(KILLS / 2), sameBits),
  );
});

// Between steps it keeps more digits than a checkpoint has.
test("training on the reference that is killed goes on with almost the same losses", { timeout: TIMEOUT }, () =>
  killAndResume(["--backend", "reference"], Math.ceil(KILLS / 2), async (whole, resumed) => {
    const [expected, found] = [await stateOf(whole), await stateOf(resumed)];
    expect(found.losses.map(([step]) => step)).toEqual(expected.losses.map(([step]) => step));
    for (const [i, [, loss]] of expected.losses.entries()) expect(found.losses[i]![1]).toBeCloseTo(loss, 4);
  }),
);

/** Run the command, and kill it where it has not ended after some milliseconds. */
function killed(args: readonly string[], milliseconds: number): Promise<void> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: "ignore" });
  const timer = setTimeout(() => child.kill("SIGKILL"), milliseconds);
  return new Promise((resolve) => {
    child.on("close", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

const UNSHARE = ["--map-root-user", "--mount", "sh", "-c"];
const MOUNT = 'mount -t tmpfs -o size="$SIZE" none "$DISK"';
const canMount = ((): boolean => {
  try {
    execFileSync("unshare", [...UNSHARE, MOUNT], {
      env: { ...process.env, SIZE: "16k", DISK: "/mnt" },
      stdio: "ignore",
    });
    return true;
  } catch {
    return false;
  }
})();

/** Run lines of a shell where `disk` is a file system of its own, of so many bytes, which is gone behind them. */
async function onDisk(size: string, lines: readonly string[]) {
  const env = { ...process.env, SIZE: size, DISK: join(folder, "disk") };
  await promisify(execFile)("mkdir", ["-p", env.DISK]);
  const ended = promisify(execFile)("unshare", [...UNSHARE, [MOUNT, ...lines].join("\n")], { env });
  return ended.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}
const shell = (...args: string[]) => [process.execPath, MAIN, ...args].map(quoted).join(" ");
const expectSentence = (stderr: string, says: RegExp) => {
  expect(stderr).toMatch(says);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(stderr).not.toMatch(/^\s+at |mistake in finegrain/m);
};

describe.runIf(canMount)("a disk that is full", () => {
  const disk = () => join(folder, "disk");
  const flags = [...TINY, "--steps", "9", "--checkpoint-every", "1", "--evaluate-every", "3"];

  test.each(["4k", "32k", "64k", "96k", "160k", "256k"])(
    "of %s ends training in a sentence, and with room it goes on",
    async (size) => {
      const out = join(disk(), "run");
      const train = shell("train", ...flags, "--data", text, "--out", out);
      const { code, stderr, stdout } = await onDisk(size, [
        `${train} > "$DISK.out" && exit 7`,
        'mount -o remount,size=64m none "$DISK"',
        `if [ -e ${quoted(join(out, "config.json"))} ]; then ${shell("train", "--resume", out, "--backend", "reference")}; else rm -rf ${quoted(out)}; ${train}; fi || exit 8`,
      ]);
      expectSentence(stderr, /ENOSPC|no space left/i);
      expect(code, stderr).toBe(0);
      expect(stdout).toMatch(/^done: /m);
    },
  );

  /** Every command that writes, beside training, to the disk. */
  const writing = () => [
    shell("report", join(folder, "lines.jsonl"), "--out", join(disk(), "report")),
    shell("bench", "ops", "--quick", "--backend", "reference", "--json", join(disk(), "results.jsonl")),
    shell("import", MODEL, "--out", join(disk(), "run")),
    shell("export", join(folder, "imported"), "--out", join(disk(), "exported")),
  ];
  beforeAll(async () => {
    await writeFile(join(folder, "lines.jsonl"), '{"step":0,"loss":1}\n{"step":1,"loss":0.5}\n');
    expect(await finegrain(["import", MODEL, "--out", join(folder, "imported")])).toMatchObject({ code: 0 });
  });

  test("or read-only ends every command in a sentence that names the path, with what was there untouched", async () => {
    const train = shell("train", ...flags, "--data", text, "--out", join(disk(), "run"));
    for (const line of [...writing(), train]) {
      const readOnly = await onDisk("1m", ['mount -o remount,ro none "$DISK"', line]);
      expectSentence(readOnly.stderr, /EROFS|read-only/i);
      expect(readOnly.stderr).toContain(disk());
      expect(readOnly).toMatchObject({ code: 1, stdout: expect.not.stringMatching(/done: |opens it|open it/) });
    }
  });

  test.each([
    ["4k", [0, 1, 2, 3]],
    ["48k", [2, 3]],
    ["100k", [2, 3]],
  ])("of %s ends what writes more in a sentence that names the path, and leaves no part", async (size, which) => {
    const kept = '{"kept":true}';
    for (const line of which.map((i) => writing()[i]!)) {
      const full = await onDisk(size, [
        `echo '${kept}' > "$DISK/results.jsonl"`,
        `${line} > "$DISK.out"; code=$?`,
        'find "$DISK" -type f; cat "$DISK/results.jsonl"',
        "exit $code",
      ]);
      expectSentence(full.stderr, /cannot (write|make).*(ENOSPC|no space left)/i);
      expect(full.stderr).toContain(disk());
      expect(full).toMatchObject({ code: 1, stdout: `${join(disk(), "results.jsonl")}\n${kept}\n` });
    }
  });
});
