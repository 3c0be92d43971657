import { readFile } from "node:fs/promises";
import { wasmBackend } from "@finegrain/backend-wasm";
import { byteTokenizer, createGenerator } from "@finegrain/generate";
import { readSafetensors, scalingLM } from "@finegrain/nn";
import type { RunConfig } from "@finegrain/runs";
import { expect, test } from "vitest";
import { type EngineName, loseGpu, PROMPT, type Stage, TEST_TIME, WAIT } from "./stage.ts";

const models = new URL("../public/models/", import.meta.url);

/** The model of a name, of the pair that comes with the page. */
async function configOf(name: string): Promise<RunConfig["model"]> {
  const { model } = JSON.parse(`${await readFile(new URL(`${name}/config.json`, models))}`) as Pick<RunConfig, "model">;
  return model;
}

/** What a model of the pair writes in Node, greedily. */
async function writtenInNode(name: string, maxTokens: number): Promise<string> {
  const weights = readSafetensors(await readFile(new URL(`${name}/model.safetensors`, models))).tensors;
  const tokenizer = byteTokenizer();
  await using backend = await wasmBackend({ threads: 1 });
  const model = scalingLM(await configOf(name));
  await using generator = await createGenerator({ backend, model, weights, storage: "float16" });
  let text = PROMPT;
  const options = { tokenizer, maxTokens, temperature: 0 };
  for await (const piece of generator.generate(tokenizer.encode(PROMPT), options)) text += piece.text;
  return text;
}

/** What is said of the units of both, as their configs have them. */
async function unitsOfPair(): Promise<Readonly<Record<"sparse" | "dense" | "on", string>>> {
  const [sparse, dense] = [await configOf("sparse"), await configOf("dense")];
  const { blockSize } = sparse.feedForward as { readonly blockSize: number }; // a sparse layer has one
  return {
    on: `${sparse.dFf! / blockSize} of ${sparse.dFf} units in each of ${sparse.layers} layers.`,
    sparse: `Every token turns on ${sparse.dFf! / blockSize} of ${sparse.dFf} units in each of ${sparse.layers} layers.`,
    dense: `Every token turns on all ${dense.dFf} units in each of ${dense.layers} layers.`,
  };
}

export function watching(stage: Stage): void {
  /** Let both write, and compare what the page shows of it with what they write in Node. */
  async function expectWritten(engine: EngineName, tokens: number): Promise<void> {
    const { visitor } = stage;
    expect(await visitor.write(engine, tokens)).toMatch(`Done, on ${engine}`);
    for (const [place, name] of ["sparse", "dense"].entries()) {
      const shown = await visitor.page.textContent(`#race .model:nth-child(${place + 1}) .text`);
      // The last token is shown when the model has read it.
      expect((await writtenInNode(name, tokens)).startsWith(shown!)).toBe(true);
      expect(shown!.length).toBeGreaterThanOrEqual(PROMPT.length + tokens - 1);
    }
  }

  test.each(["isolated", "plain"] as const)(
    "models write in a page that is %s what they write in Node",
    async (kind) => {
      const { served, visitor } = stage;
      const { page } = visitor;
      await visitor.visit(served[kind]);
      expect(await page.isVisible("#isolation")).toBe(kind === "plain");
      await expectWritten("wasm", kind === "plain" ? 40 : 16);
      const units = await unitsOfPair();
      const said = async (model: string) => page.textContent(`#race .${model} .said`);
      expect(await said("sparse")).toBe(units.sparse);
      expect(await said("dense")).toBe(units.dense);
    },
    TEST_TIME,
  );

  test(
    "they do on WebGPU, and where its device is lost, the next writing opens another",
    async () => {
      const { served, visitor, browser } = stage;
      await visitor.visit(served.isolated);
      await expectWritten("webgpu", 6);
      await visitor.begin("webgpu", 5000);
      await expect.poll(() => visitor.page.textContent("#watch-status"), WAIT).toMatch("Writing");
      await loseGpu(browser);
      expect(await visitor.status("watch", "Done")).toMatch("was lost");
      expect(await visitor.write("wasm", 3)).toMatch("Done, on wasm");
    },
    TEST_TIME,
  );

  test(
    "a token shows its units and a unit its tokens, by keyboard too",
    async () => {
      const { served, visitor } = stage;
      const { page } = visitor;
      await visitor.visit(served.isolated);
      await visitor.write("wasm", 12);
      const said = () => page.textContent("#race .sparse .said");
      await page.hover("#race .sparse .text span:nth-child(3)");
      await expect.poll(said).toBe(`“e” turns on ${(await unitsOfPair()).on}`);
      await page.focus("#race .sparse .walk input");
      await page.keyboard.press("Home");
      const spoken = () => page.getAttribute("#race .sparse .walk input", "aria-valuetext");
      await expect.poll(spoken).toMatch(/^“T” turns on/);
      const { blockSize } = (await configOf("sparse")).feedForward as { readonly blockSize: number };
      await page.focus("#race .sparse .units");
      await page.keyboard.press("ArrowRight");
      // What a screen reader says where the keys are; nothing is chosen yet.
      const heard = page.locator("#race .sparse .heard");
      const saidOfUnit = () => heard.textContent();
      const sentence = (unit: number) =>
        new RegExp(`^Layer 1, unit ${unit}, in block 2, is on for \\d+ of \\d+ tokens[:.]`);
      await expect.poll(saidOfUnit).toMatch(sentence(blockSize + 1));
      expect(await heard.getAttribute("role")).toBe("status");
      await page.keyboard.press("ArrowDown");
      await expect.poll(saidOfUnit).toMatch(sentence(blockSize + 2));
      await page.keyboard.press("ArrowUp");
      await page.keyboard.press("Enter");
      await expect.poll(said).toMatch(sentence(blockSize + 1));
      const fires = await page.locator("#race .sparse .text .fires").count();
      expect(await said()).toMatch(`is on for ${fires} of`);
    },
    TEST_TIME,
  );

  test(
    "a checkpoint can be dropped, and what is none is refused in a sentence",
    async () => {
      const { served, visitor } = stage;
      const { page } = visitor;
      await visitor.visit(served.plain);
      const files = ["config.json", "model.safetensors"].map((file) => new URL(`sparse/${file}`, models).pathname);
      await page.setInputFiles("#watch-drop input", files);
      await visitor.write("wasm", 3);
      expect(await page.locator("#race .model:visible").count()).toBe(1);
      await page.setInputFiles("#watch-drop input", files[0]!);
      expect(await visitor.write("wasm", 3)).toMatch("there is no model.safetensors here");
      // The next one begins anew.
      await page.selectOption("[name=models]", "pair");
      expect(await visitor.write("wasm", 3)).toMatch("Done");
      // In the background it would be slow, and say so of the device.
      await visitor.begin("wasm", 5000);
      await expect.poll(() => page.textContent("#race .sparse .speed"), WAIT).toMatch("tokens/s");
      await visitor.setHidden(true);
      expect(await visitor.status("watch", "Stopped")).toMatch("went to the background");
    },
    TEST_TIME,
  );
}
