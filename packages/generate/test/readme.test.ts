import { readFile, rm, writeFile } from "node:fs/promises";
import { expect, test, vi } from "vitest";

const at = (path: string) => new URL(path, import.meta.url);

test.each([
  [0, [["\nended by maxTokens"], [256, 27]], 23],
  [1, [[3]], 0],
])("the README's example %d runs", async (which, logged, written) => {
  const readme = await readFile(at("../README.md"), "utf8");
  const examples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)];
  const code = examples[which]![1]!.replace("@finegrain/generate", "../src/index.ts");
  const file = at(`./readme-example-${which}-${process.pid}.ts`);
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  await writeFile(file, code);
  try {
    await import(file.href);
    expect(log.mock.calls).toEqual(logged);
    expect(write.mock.calls.length).toBe(written);
  } finally {
    await rm(file);
    log.mockRestore();
    write.mockRestore();
  }
});
