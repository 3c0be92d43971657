import { readFile, rm, writeFile } from "node:fs/promises";
import { expect, test, vi } from "vitest";

const at = (path: string) => new URL(path, import.meta.url);

test("the README's example runs and prints its numbers", async () => {
  const readme = await readFile(at("../README.md"), "utf8");
  const code = /```ts\n([\s\S]*?)```/.exec(readme)![1]!.replace("@finegrain/backend-tfjs", "../src/index.ts");
  const file = at(`./readme-example-${process.pid}.ts`);
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  await writeFile(file, code);
  try {
    await import(file.href);
    // x w is [0.6, 1.5] in each of four columns; d loss / d w is the sum of x's rows.
    const [value, dw] = log.mock.calls[0] as [Float32Array, Float32Array]; // the example logs one line
    expect(value[0]).toBeCloseTo(8.4, 5);
    expect([...dw]).toEqual([5, 7, 9].flatMap((x) => [x, x, x, x]));
  } finally {
    await rm(file);
    log.mockRestore();
  }
});
