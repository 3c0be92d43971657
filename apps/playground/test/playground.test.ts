// @module-tag chromium
/// <reference lib="dom" />
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { wasmBackend } from "@finegrain/backend-wasm";
import { isMeasurement, parseEvidence } from "@finegrain/bench/method";
import schema from "@finegrain/bench/result.schema.json" with { type: "json" };
import { byteTokenizer, createGenerator } from "@finegrain/generate";
import { readSafetensors, scalingLM } from "@finegrain/nn";
import { openRun, type RunConfig, readMetrics, train } from "@finegrain/runs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { unzipSync } from "fflate";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { type ServedPage, servePage } from "./served-page.ts";

const models = new URL("../public/models/", import.meta.url);
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const fitsSchema = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(schema);
const PROMPT = "The people ";
/** Milliseconds for a step on a machine that others use too. */
const WAIT = { timeout: 100_000 };

let served: ServedPage;
let browser: Browser;
let context: BrowserContext;
let page: Page;
/** What the page's console called an error. */
let errors: string[];

beforeAll(async () => {
  served = await servePage();
  const args = ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
  browser = await chromium.launch({ ...inject("chromium")!, args } as Parameters<typeof chromium.launch>[0]); // the tag says that it is there
}, 300_000);
afterAll(async () => {
  await browser?.close();
  await served?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  context = await browser.newContext();
  page = await context.newPage();
  errors = [];
  page.on("pageerror", ({ message }) => errors.push(message));
});
afterEach(async () => {
  await context.close();
  expect(errors).toEqual([]);
});

async function visit(url: string): Promise<void> {
  await page.goto(url);
  await page.waitForSelector("#device:not(:empty)", { ...WAIT, state: "attached" });
}

/** Wait until a view's status begins with a word, and give the whole. What goes wrong is said there too. */
async function status(view: "watch" | "train" | "measure", ...beginnings: readonly string[]): Promise<string> {
  const line = page.locator(`#${view}-status`);
  await expect
    .poll(async () => `${await line.getAttribute("class")} ${await line.textContent()}`, WAIT)
    .toMatch(new RegExp(`wrong|^status (${beginnings.join("|")})`));
  return (await line.textContent())!;
}

async function write(engine: "wasm" | "webgpu", tokens: number): Promise<string> {
  await page.fill("#watch-form [name=prompt]", PROMPT);
  await page.evaluate(() => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
  await page.fill("[name=maxTokens]", `${tokens}`);
  await page.fill("[name=temperature]", "0");
  await page.selectOption("#watch-form [name=engine]", engine);
  await page.click("#watch-form [name=go]");
  return status("watch", "Done");
}

/** What a model of the pair writes in Node, greedily. */
async function writtenInNode(name: string, maxTokens: number): Promise<string> {
  const read = (file: string) => readFile(new URL(`${name}/${file}`, models));
  const { model } = JSON.parse(`${await read("config.json")}`) as Pick<RunConfig, "model">;
  const weights = readSafetensors(await read("model.safetensors")).tensors;
  const tokenizer = byteTokenizer();
  await using backend = await wasmBackend({ threads: 1 });
  await using generator = await createGenerator({ backend, model: scalingLM(model), weights, storage: "float16" });
  let text = PROMPT;
  const options = { tokenizer, maxTokens, temperature: 0 };
  for await (const piece of generator.generate(tokenizer.encode(PROMPT), options)) text += piece.text;
  return text;
}

/** An event of Chromium's own trace. */
interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds of processor time. */
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

/** What axe-core finds on the page as it is. */
async function complaints(): Promise<string[]> {
  await page.addScriptTag({ path: axe });
  return page.evaluate(async () => {
    const { violations } = await (
      window as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } }
    ).axe.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  });
}

describe("watch", () => {
  /** Let both write, and compare what the page shows of it with what they write in Node. */
  async function expectWritten(engine: "wasm" | "webgpu", tokens: number): Promise<void> {
    expect(await write(engine, tokens)).toMatch(`Done, on ${engine}`);
    for (const [place, name] of ["sparse", "dense"].entries()) {
      const shown = await page.textContent(`#race .model:nth-child(${place + 1}) .text`);
      // The last token is shown when the model has read it.
      expect((await writtenInNode(name, tokens)).startsWith(shown!)).toBe(true);
      expect(shown!.length).toBeGreaterThanOrEqual(PROMPT.length + tokens - 1);
    }
  }

  test.each(["isolated", "plain"] as const)(
    "models write in a page that is %s what they write in Node",
    async (kind) => {
      await visit(served[kind]);
      expect(await page.isVisible("#isolation")).toBe(kind === "plain");
      await expectWritten("wasm", 40);
      const said = async (model: string) => page.textContent(`#race .${model} .said`);
      expect(await said("sparse")).toBe("Every token turns on 45 of 720 units in each of 4 layers.");
      expect(await said("dense")).toBe("Every token turns on all 768 units in each of 4 layers.");
    },
    300_000,
  );

  test("they do on WebGPU, and where its device is lost, the next writing opens another", async () => {
    await visit(served.isolated);
    await expectWritten("webgpu", 12);
    const lost = write("webgpu", 5000);
    await expect.poll(() => page.textContent("#watch-status"), WAIT).toMatch("Writing");
    const session = await browser.newBrowserCDPSession();
    await session.send("Browser.crashGpuProcess");
    await session.detach();
    expect(await lost).toMatch("was lost");
    expect(await write("wasm", 3)).toMatch("Done, on wasm");
  }, 300_000);

  test("a token shows its units and a unit its tokens, by keyboard too", async () => {
    await visit(served.isolated);
    await write("wasm", 20);
    await page.hover("#race .sparse .text span:nth-child(3)");
    await expect.poll(() => page.textContent("#race .sparse .said")).toMatch(/^“e” turns on 45 of 720/);
    await page.focus("#race .sparse .units");
    await page.keyboard.press("ArrowRight");
    // What a screen reader says where the keys are; nothing is chosen yet.
    const heard = page.locator("#race .sparse .heard");
    expect(await heard.textContent()).toMatch(/^Layer 1, unit 17, in block 2, is on for \d+ of \d+ tokens[:.]/);
    expect(await heard.getAttribute("role")).toBe("status");
    await page.keyboard.press("ArrowDown");
    expect(await heard.textContent()).toMatch(/^Layer 1, unit 18, in block 2,/);
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");
    await expect
      .poll(() => page.textContent("#race .sparse .said"))
      .toMatch(/^Layer 1, unit 17, in block 2, is on for \d+ of/);
    const fires = await page.locator("#race .sparse .text .fires").count();
    expect(await page.textContent("#race .sparse .said")).toMatch(`is on for ${fires} of`);
  }, 300_000);

  test("a checkpoint can be dropped, and what is none is refused in a sentence", async () => {
    await visit(served.plain);
    const files = ["config.json", "model.safetensors"].map((file) => new URL(`sparse/${file}`, models).pathname);
    await page.setInputFiles("#watch-drop input", files);
    await write("wasm", 3);
    expect(await page.locator("#race .model:visible").count()).toBe(1);
    await page.setInputFiles("#watch-drop input", files[0]!);
    expect(await write("wasm", 3)).toMatch("there is no model.safetensors here");
    // The next one begins anew.
    await page.selectOption("[name=models]", "pair");
    expect(await write("wasm", 3)).toMatch("Done");
  }, 300_000);

  test("a view that is left gives back what it held", async () => {
    await visit(served.plain);
    const session = await context.newCDPSession(page);
    await session.send("Performance.enable");
    const heap = async () => {
      await session.send("HeapProfiler.collectGarbage");
      const { metrics } = await session.send("Performance.getMetrics");
      return metrics.find(({ name }) => name === "JSHeapUsedSize")!.value;
    };
    const sizes: number[] = [];
    for (let i = 0; i < 6; i++) {
      await write("wasm", 2);
      await page.click('nav a[href="#train"]');
      await expect.poll(() => page.workers().length).toBe(0);
      sizes.push(await heap());
      await page.click('nav a[href="#watch"]');
    }
    expect(sizes.at(-1)! - sizes[1]!).toBeLessThan(5e5);
  }, 300_000);
});

describe("train", () => {
  const text = "In order to form a more perfect union, establish justice and insure tranquility. ".repeat(60);
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "finegrain-downloaded-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** Milliseconds of processor time that the longest task of the page's main thread took meanwhile. */
  async function longestTask(work: () => Promise<void>): Promise<number> {
    await browser.startTracing(page, { categories: ["toplevel", "__metadata"] });
    await work();
    const { traceEvents } = JSON.parse(`${await browser.stopTracing()}`) as { traceEvents: TraceEvent[] };
    const main = traceEvents.filter(({ name, args }) => name === "thread_name" && args?.name === "CrRendererMain");
    const isOfPage = ({ pid, tid }: TraceEvent) => main.some((thread) => thread.pid === pid && thread.tid === tid);
    const tasks = traceEvents.filter((event) => event.name.endsWith("RunTask") && isOfPage(event));
    expect(tasks.length).toBeGreaterThan(10);
    return Math.max(...tasks.map(({ tdur = 0 }) => tdur / 1000));
  }

  const begin = async (engine: "wasm" | "webgpu", steps: number) => {
    await page.fill("#train-form [name=text]", text);
    await page.selectOption("#train-form [name=size]", "tiny");
    await page.selectOption("#train-form [name=engine]", engine);
    await page.fill("#train-form [name=steps]", `${steps}`);
    await page.click("#train-form [name=go]");
  };

  test("a run is paused, goes on after a reload, and is what Node trains", async () => {
    await visit(`${served.isolated}#train`);
    // On cores that others use too a task takes longer, in processor time as well: the best of a few counts.
    let longest = Number.POSITIVE_INFINITY;
    for (let tries = 0; tries < 4 && longest >= 50; tries++) {
      const once = await longestTask(async () => {
        await begin("wasm", 12);
        await expect.poll(() => page.textContent("#learners .sparse .steps"), WAIT).toMatch(/^[1-9]/);
        await page.click("#train-form [name=pause]");
        await status("train", "Paused", "Both have");
      });
      longest = Math.min(longest, once);
    }
    expect(longest).toBeGreaterThan(0);
    expect(longest).toBeLessThan(50);
    await page.reload();
    await status("train", "A training of before");
    if (await page.isEnabled("#train-form [name=resume]")) {
      await page.selectOption("#train-form [name=engine]", "wasm");
      await page.click("#train-form [name=resume]");
      await status("train", "Both have");
    }
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#learners .sparse .download")]);
    for (const [path, bytes] of Object.entries(unzipSync(await readFile(await download.path())))) {
      const file = join(folder, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, bytes);
    }
    const losses = (await readMetrics(join(folder, "sparse/metrics.jsonl"))).flatMap(({ loss }) => loss ?? []);
    await using backend = await wasmBackend({ threads: 1 });
    await using run = await openRun(join(folder, "sparse"), { backend });
    const { model, training } = run.config;
    const inNode: number[] = [];
    await using again = await train({ backend, model, training, data: text, onStep: ({ loss }) => inNode.push(loss) });
    expect(losses).toHaveLength(12);
    for (const [i, loss] of losses.entries()) expect(Number(loss) / inNode[i]!).toBeCloseTo(1, 3);
    const written = async (from: typeof run) => {
      let all = "";
      for await (const piece of from.generate("In order ", { maxTokens: 8, temperature: 0 })) all += piece.text;
      return all;
    };
    expect(await written(run)).toBe(await written(again));
    // What was trained here can be watched here.
    await page.click('nav a[href="#watch"]');
    await page.click("#watch-view summary");
    await page.selectOption("[name=models]", "trained");
    expect(await write("wasm", 3)).toMatch("Done");
    expect(await page.textContent("#race .sparse .what")).toMatch("249 k weights");
  }, 300_000);

  test("on WebGPU it learns too", async () => {
    await visit(`${served.plain}#train`);
    await begin("webgpu", 1);
    expect(await status("train", "Both have")).toMatch("Both have learned");
    expect(await page.textContent("#learners .dense .what")).toMatch(/webgpu/);
  }, 300_000);
});

describe("measure", () => {
  test("a suite is measured by the method of the command, and its lines are what a report takes", async () => {
    await visit(`${served.isolated}#measure`);
    await page.selectOption("#measure-form [name=engine]", "wasm");
    await page.click("#measure-form [name=go]");
    await page.waitForSelector("#results table", WAIT);
    await page.click("#measure-form [name=go]");
    await status("measure", "Stopped", "Done");
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#measure-download")]);
    const text = await readFile(await download.path(), "utf8");
    const { results } = parseEvidence(text, "the download");
    const [dense, sparse] = results.filter(isMeasurement);
    expect([dense!.variant, sparse!.variant]).toEqual(["dense", "sparse-ff"]);
    expect(sparse!.bytesPerToken!).toBeLessThan(dense!.bytesPerToken!);
    expect(sparse!.overDense!.low).toBeLessThanOrEqual(sparse!.overDense!.high);
    expect(dense!.machine.bandwidthBytesPerSecond).toBeGreaterThan(0);
    expect(dense!.versions.browser).toMatch(/^Chrome \d+$/);
    for (const result of results) expect(fitsSchema(result), JSON.stringify(fitsSchema.errors)).toBe(true);
    // The same lines by a link, and beside them those of another device.
    await page.click("#measure-link");
    await expect.poll(() => page.url()).toMatch("#measure=");
    await page.reload();
    await status("measure", "Read the results");
    expect(await page.locator("#results tbody tr").count()).toBe(results.length);
    const other = JSON.stringify({ ...dense, machine: { ...dense!.machine, cpu: "Another device" } });
    const file = { name: "other.jsonl", mimeType: "application/jsonl", buffer: Buffer.from(other) };
    await page.setInputFiles("#measure-form [name=files], [form=measure-form][name=files]", file);
    await expect.poll(() => page.textContent("#results")).toMatch("Another device");
    expect(await complaints()).toEqual([]);
  }, 300_000);
});

describe("the page", () => {
  test.each(["light", "dark"] as const)(
    "is as axe-core wants it, %s",
    async (colorScheme) => {
      await page.emulateMedia({ colorScheme });
      await visit(served.plain);
      await write("wasm", 8);
      expect(await complaints()).toEqual([]);
      await page.click('nav a[href="#train"]');
      expect(await complaints()).toEqual([]);
    },
    300_000,
  );

  test("has less than 500 kB of script before a model is loaded, and nothing of another server", async () => {
    const hosts = new Set<string>();
    context.on("response", (response) => void hosts.add(new URL(response.url()).host));
    await visit(served.plain);
    await page.waitForLoadState("networkidle");
    expect(page.workers()).toEqual([]); // whose scripts are not among the page's
    const bytes = await page.evaluate(() =>
      performance
        .getEntriesByType("resource")
        .filter(({ name }) => name.endsWith(".js"))
        .reduce((sum, entry) => sum + (entry as PerformanceResourceTiming).decodedBodySize, 0),
    );
    expect(bytes).toBeGreaterThan(1000);
    expect(bytes).toBeLessThan(500_000);
    expect(hosts.size).toBe(1);
  });
});
