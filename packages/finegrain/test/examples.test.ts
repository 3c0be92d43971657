import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { emptyFolder, TEXT } from "./command-line.ts";

test("examples/train.ts trains, writes, and opens its run again", async () => {
  const folder = await emptyFolder();
  const path = join(folder, "text.txt");
  await writeFile(path, TEXT.repeat(3));
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  const write = vi.spyOn(process.stdout, "write").mockImplementation(() => true);
  const { argv } = process;
  process.argv = [argv[0]!, "train.ts", path, join(folder, "run"), "2"];
  try {
    await import(new URL("../../../examples/train.ts", import.meta.url).href);
    expect(log.mock.lastCall?.[0]).toMatch(/^\d+\.\d{3} bits per byte on \d+ bytes/);
    expect(write).toHaveBeenCalled();
  } finally {
    process.argv = argv;
    log.mockRestore();
    write.mockRestore();
  }
});
