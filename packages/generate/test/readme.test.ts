import { readFile, rm, writeFile } from "node:fs/promises";
import { expect, test, vi } from "vitest";

const at = (path: string) => new URL(path, import.meta.url);

test("the README's first example runs", async () => {
  const readme = await readFile(at("../README.md"), "utf8");
  const code = /```ts\n([\s\S]*?)```/.exec(readme)![1]!.replace("@finegrain/generate", "../src/index.ts");
  const file = at(`./readme-example-${process.pid}.ts`);
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  await writeFile(file, code);
  try {
    await import(file.href);
    expect(log.mock.calls).toEqual([["\nended by maxTokens"], [256, 27]]);
    expect(write.mock.calls.length).toBe(23);
  } finally {
    await rm(file);
    log.mockRestore();
    write.mockRestore();
  }
});
