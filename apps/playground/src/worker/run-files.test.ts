import { hostTensor } from "@finegrain/graph";
import { expect, test } from "vitest";
import { type Folder, memoryFolder } from "./folder.ts";
import { keptCheckpoint, pageStore } from "./run-files.ts";

const content = (step: number, weight: number) => ({
  step,
  model: new Map([["w", hostTensor("float32", [1], [weight])]]),
  optimizer: new Map([["w", hostTensor("float32", [1], [0])]]),
  config: { model: {} },
  state: {},
});

const keptWeight = async (folder: Folder) => (await (await keptCheckpoint(folder))!.readModel()).get("w")!.data[0];

test("one checkpoint is kept, and the one that is kept is never written over", async () => {
  const folder = memoryFolder();
  const store = pageStore(folder);
  await store.save(content(4, 1), {});
  expect((await store.save(content(4, 2), {})).path).toBe("checkpoints/step-000004-2");
  expect(await keptWeight(folder)).toBe(2);
  await store.save(content(5, 3), {});
  expect([...new Set((await folder.list()).map((path) => path.split("/")[1]))].sort()).toEqual([
    "latest",
    "step-000005",
  ]);
});

test("where writing a checkpoint fails, the one before stays, and the next one removes what is left over", async () => {
  const folder = memoryFolder();
  await pageStore(folder).save(content(4, 1), {});
  const full: Folder = {
    ...folder,
    write: async (path, bytes) => {
      if (path.endsWith("state.json")) throw new DOMException("there is no room", "QuotaExceededError");
      await folder.write(path, bytes);
    },
  };
  await expect(pageStore(full).save(content(4, 2), {})).rejects.toThrow("there is no room");
  expect(await keptWeight(folder)).toBe(1);
  await pageStore(folder).save(content(6, 3), {});
  expect((await folder.list()).every((path) => /latest$|step-000006/.test(path))).toBe(true);
});
