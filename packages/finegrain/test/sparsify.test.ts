import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { emptyFolder, finegrain, TEXT } from "./command-line.ts";

const LLAMA = fileURLToPath(new URL("../../runs/test/pretrained/cases/llama", import.meta.url));

test("a model is made sparse, and what that gained and lost is said", async () => {
  const folder = await emptyFolder();
  const [data, out] = [join(folder, "text.txt"), join(folder, "sparse")];
  await writeFile(data, TEXT.repeat(4));
  const flags = ["--data", data, "--backend", "wasm", "--batch", "2", "--length", "16"];
  const made = await finegrain(["sparsify", LLAMA, "--out", out, "--block-size", "4", "--steps", "3", ...flags]);
  expect(made).toMatchObject({ code: 0 });
  expect(made.stdout).toMatch(
    /model +bits per byte +a token reads +of it feed-forward +tokens\/s\n.*\nteacher .*\nsparse /,
  );
  expect(made.stdout).toMatch(/to let all of its weights learn together: .*train --init .*sparse/);
  expect(await finegrain(["generate", out, "--prompt", "the", "--max-tokens", "3"])).toMatchObject({ code: 0 });

  const json = await finegrain(["sparsify", LLAMA, "--out", join(folder, "again"), "--steps", "1", "--json", ...flags]);
  const { teacher, sparse } = JSON.parse(json.stdout);
  expect(sparse.feedForwardBytesPerToken).toBeLessThan(0.6 * teacher.feedForwardBytesPerToken);
  expect(await finegrain(["sparsify", LLAMA, "--out", out])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`${out}`),
  });
});

test("small inputs are left out without training, and what that gained and lost is said", async () => {
  const folder = await emptyFolder();
  const [data, out] = [join(folder, "text.txt"), join(folder, "sparse")];
  await writeFile(data, TEXT.repeat(40));
  const flags = ["--method", "inputs", "--data", data, "--backend", "wasm"];
  const made = await finegrain(["sparsify", LLAMA, "--out", out, "--loss", "0.1", ...flags]);
  expect(made).toMatchObject({ code: 0 });
  expect(made.stdout).toMatch(
    /model +bits per byte +weights of blocks read +tokens\/s\n.*\ndense .* 100 % .*\nsparse /,
  );
  expect(await finegrain(["generate", out, "--prompt", "the", "--max-tokens", "3"])).toMatchObject({ code: 0 });
  const refused = async (...own: string[]) => (await finegrain(["sparsify", LLAMA, ...own])).stderr;
  expect(await refused(...flags, "--steps", "3")).toContain(
    "--steps is of training, and --method inputs trains nothing",
  );
  expect(await refused(...flags, "--block-size", "4")).toContain("--block-size is of training");
  expect(await refused("--loss", "0.1", "--backend", "wasm")).toContain("--loss is of --method inputs");
  expect(await refused(...flags, "--loss", "0")).toContain("the loss must be above 0");
});
