import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { initialize, scalingLM } from "@finegrain/nn";
import { saveCheckpoint } from "@finegrain/runs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { emptyFolder, MAIN } from "./command-line.ts";

let folder: string;
beforeAll(async () => {
  folder = await emptyFolder();
  const config = { vocabulary: 256, dModel: 8, dFf: 16, layers: 1, heads: 2, maxLength: 32 };
  const model = initialize(scalingLM(config).params, 1);
  await saveCheckpoint(join(folder, "model"), { step: 1, model, optimizer: new Map(), config, state: {} });
});
afterAll(() => rm(folder, { recursive: true }));

/** The command in a shell that leaves it so many KiB of addresses. */
async function within(kib: number, args: string, env: NodeJS.ProcessEnv = {}) {
  const line = `ulimit -v ${kib}; exec "${process.execPath}" "${MAIN}" ${args}`;
  const options = { cwd: folder, env: { ...process.env, ...env } };
  return promisify(execFile)("bash", ["-c", line], options).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error, // what a failed process leaves
  );
}

describe.runIf(process.platform === "linux")("where the system refuses the addresses of WebAssembly's memory", () => {
  const refused =
    /^finegrain: WebAssembly's memory was refused \(.+\): Node reserves .+ `ulimit -v` may leave fewer\n$/;

  test("the backend wasm says so in one sentence", async () => {
    const { code, stderr } = await within(9_000_000, "generate model --backend wasm --prompt hi -n 3");
    expect(code).toBe(1);
    expect(stderr).toMatch(refused);
  });

  test("tfjs:wasm says so in one sentence", async () => {
    const { code, stderr } = await within(9_000_000, "generate model --backend tfjs --device wasm --prompt hi -n 3");
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^finegrain: TensorFlow\.js's wasm backend does not start here: its memory was refused .+\n$/,
    );
  });

  test("devices lists both as not there, and the others as they are", async () => {
    const { code, stdout } = await within(9_000_000, "devices");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^wasm:cpu +no +WebAssembly's memory was refused/m);
    expect(stdout).toMatch(/^tfjs:wasm +no +TensorFlow\.js's wasm backend does not start here/m);
    expect(stdout).toMatch(/^reference:cpu +yes/m);
    expect(stdout).not.toContain("mistake in finegrain");
  });

  test("what the sentence says helps", async () => {
    const env = { NODE_OPTIONS: "--disable-wasm-trap-handler" };
    const { code, stdout } = await within(9_000_000, "generate model --backend wasm --prompt hi -n 3 --json", env);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).tokens).toHaveLength(3);
  });
});
