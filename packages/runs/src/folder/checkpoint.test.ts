import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FinegrainError, type HostTensor, hostTensor } from "@finegrain/graph";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkpointNames, openCheckpoint, saveCheckpoint } from "./checkpoint.ts";
import type { CheckpointContent } from "./checkpoint-files.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "finegrain-checkpoint-"));
});
afterEach(() => rm(folder, { recursive: true }));

const content = (step: number): CheckpointContent => ({
  step,
  model: new Map([
    ["embedding", hostTensor("float32", [2, 2], [1, 2, 3, step])],
    ["mask", hostTensor("bool", [1], [1])],
  ]),
  optimizer: new Map([["count", hostTensor("int32", [], [step])]]),
  config: { model: { dModel: 2 } },
  state: { counter: [1, step] },
});
const fails = async (promise: Promise<unknown>, message: string | RegExp) => {
  await expect(promise).rejects.toThrow(FinegrainError);
  await expect(promise).rejects.toThrow(message);
};

test("what was saved comes back, through the folder or the checkpoint's own", async () => {
  const path = await saveCheckpoint(folder, content(123));
  expect(path).toBe(join(folder, "step-000123"));
  expect(await readdir(folder)).toEqual(["latest", "step-000123"]);
  for (const from of [folder, path]) {
    const opened = await openCheckpoint(from);
    expect(opened).toMatchObject({ path, step: 123, config: { model: { dModel: 2 } }, state: { counter: [1, 123] } });
    expect(await opened.readModel()).toEqual(content(123).model);
    expect(await opened.readOptimizer()).toEqual(content(123).optimizer);
    expect(opened.modelTypes.get("embedding")).toEqual({ dtype: "float32", shape: [2, 2] });
  }
});

test("a copy of a checkpoint under another name opens", async () => {
  await cp(await saveCheckpoint(folder, content(5)), join(folder, "best"), { recursive: true });
  expect((await openCheckpoint(join(folder, "best"))).step).toBe(5);
});

test("tensors on a device are read one at a time", async () => {
  let reading = 0;
  const onDevice = (value: HostTensor) => ({
    type: { dtype: value.dtype, shape: value.shape },
    async read() {
      expect(++reading).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 1));
      reading--;
      return value;
    },
  });
  const host = hostTensor("float32", [3], [1, 2, 3]);
  await saveCheckpoint(folder, {
    ...content(1),
    model: new Map([
      ["a", onDevice(host)],
      ["b", onDevice(host)],
    ]),
  });
  expect(await (await openCheckpoint(folder)).readModel()).toEqual(
    new Map([
      ["a", host],
      ["b", host],
    ]),
  );
});

test("the last K are kept, and latest is the last saved", async () => {
  for (const step of [1, 2, 3, 4]) await saveCheckpoint(folder, content(step), { keep: 2 });
  expect(await checkpointNames(folder)).toEqual(["step-000004", "step-000003"]);
  await saveCheckpoint(folder, content(2), { keep: 2 }); // a run that went back
  expect(await checkpointNames(folder)).toEqual(["step-000004", "step-000002"]);
  expect((await openCheckpoint(folder)).step).toBe(2);
});

test("the same step again does not touch the checkpoint that is there until latest has moved", async () => {
  await saveCheckpoint(folder, content(7));
  await saveCheckpoint(folder, { ...content(7), config: "second" });
  expect(await checkpointNames(folder)).toEqual(["step-000007-2", "step-000007"]);
  expect((await openCheckpoint(folder)).config).toBe("second");
  await fails(saveCheckpoint(folder, content(8), { keep: 0 }), "whole number of at least 1, not 0");
});

test("where saving fails, the earlier checkpoint stays and nothing is left over", async () => {
  await saveCheckpoint(folder, content(1));
  const lost = {
    type: { dtype: "float32", shape: [1] } as const,
    read: () => Promise.reject(new Error("device lost")),
  };
  const failing = saveCheckpoint(folder, { ...content(2), optimizer: new Map([["m", lost]]) });
  await expect(failing).rejects.toThrow("device lost");
  expect(await readdir(folder)).toEqual(["latest", "step-000001"]);
  expect((await openCheckpoint(folder)).step).toBe(1);
});

describe("opening says in one sentence what is wrong", () => {
  test("nothing there", () => fails(openCheckpoint(folder), `there is no checkpoint in ${folder}`));

  test("cut short", async () => {
    const path = join(await saveCheckpoint(folder, content(1)), "model.safetensors");
    const { length } = await readFile(path);
    await truncate(path, length - 3);
    await fails(openCheckpoint(folder), `${path} is cut short: expected ${length} bytes, found ${length - 3}`);
    await truncate(path, 4);
    await fails(openCheckpoint(folder), `${path} is cut short: expected at least 8 bytes of header, found 4`);
  });

  test("a file missing or broken", async () => {
    const path = await saveCheckpoint(folder, content(1));
    await writeFile(join(path, "state.json"), '{"ste');
    await fails(openCheckpoint(folder), /state\.json is cut short or broken/);
    await writeFile(join(path, "state.json"), "null");
    await fails(openCheckpoint(folder), "its step must be a whole number, not undefined");
    await writeFile(join(path, "state.json"), '{"step":1}');
    await rm(join(path, "optimizer.safetensors"));
    await fails(openCheckpoint(folder), `${join(path, "optimizer.safetensors")} is missing`);
  });

  test("latest names something else", async () => {
    await writeFile(join(folder, "latest"), "../elsewhere\n");
    await fails(openCheckpoint(folder), 'names no checkpoint but "../elsewhere"');
  });
});
