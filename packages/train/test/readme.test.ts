import { readFile, rm, writeFile } from "node:fs/promises";
import { expect, test, vi } from "vitest";

const at = (path: string) => new URL(path, import.meta.url);

test("the README's first example runs", async () => {
  const readme = await readFile(at("../README.md"), "utf8");
  const code = /```ts\n([\s\S]*?)```/.exec(readme)![1]!.replace("@finegrain/train", "../src/index.ts");
  const file = at(`./readme-example-${process.pid}.ts`);
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  await writeFile(file, code);
  try {
    await import(file.href);
    // The text repeats itself: the model learns from it.
    const losses = log.mock.calls.slice(0, 10).map(([, loss]) => loss as number);
    expect(losses.at(-1)).toBeLessThan(losses[0]! - 0.3);
    expect(log.mock.calls.at(-1)).toEqual(["bits per byte", expect.any(Number)]);
  } finally {
    await rm(file);
    log.mockRestore();
  }
});
