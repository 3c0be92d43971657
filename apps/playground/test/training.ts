import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { wasmBackend } from "@finegrain/backend-wasm";
import { openRun, readMetrics, train } from "@finegrain/runs";
import { unzipSync } from "fflate";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loseGpu, type Stage, TEST_TIME, WAIT } from "./stage.ts";

/** An event of Chromium's own trace. */
interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds of processor time. */
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

const TEXT = "In order to form a more perfect union, establish justice and insure tranquility. ".repeat(60);
const STEPS = 8;

export function training(stage: Stage): void {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "finegrain-downloaded-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** Milliseconds of processor time that the longest task of the page's main thread took meanwhile. */
  async function longestTask(work: () => Promise<void>): Promise<number> {
    const { browser, visitor } = stage;
    await browser.startTracing(visitor.page, { categories: ["toplevel", "__metadata"] });
    await work();
    const { traceEvents } = JSON.parse(`${await browser.stopTracing()}`) as { traceEvents: TraceEvent[] };
    const main = traceEvents.filter(({ name, args }) => name === "thread_name" && args?.name === "CrRendererMain");
    const isOfPage = ({ pid, tid }: TraceEvent) => main.some((thread) => thread.pid === pid && thread.tid === tid);
    const tasks = traceEvents.filter((event) => event.name.endsWith("RunTask") && isOfPage(event));
    expect(tasks.length).toBeGreaterThan(10);
    return Math.max(...tasks.map(({ tdur = 0 }) => tdur / 1000));
  }

  /** Unpack a run that is downloaded from the page. */
  async function downloaded(): Promise<string> {
    const { page } = stage.visitor;
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#learners .sparse .download")]);
    for (const [path, bytes] of Object.entries(unzipSync(await readFile(await download.path())))) {
      const file = join(folder, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, bytes);
    }
    return join(folder, "sparse");
  }

  test(
    "a run is paused, goes on after a reload, and is what Node trains",
    async () => {
      const { served, visitor } = stage;
      const { page } = visitor;
      await visitor.visit(`${served.isolated}#train`);
      // On cores that others use too a task takes longer, in processor time as well: the best of a few counts.
      let longest = Number.POSITIVE_INFINITY;
      for (let tries = 0; tries < 4 && longest >= 50; tries++) {
        const once = await longestTask(async () => {
          await visitor.train("wasm", TEXT, STEPS, "tiny");
          await expect.poll(() => page.textContent("#learners .sparse .steps"), WAIT).toMatch(/^[1-9]/);
          await page.click("#train-form [name=pause]");
          await visitor.status("train", "Paused", "Both have");
        });
        longest = Math.min(longest, once);
      }
      expect(longest).toBeGreaterThan(0);
      expect(longest).toBeLessThan(50);
      await page.reload();
      await visitor.status("train", "A training of before");
      if (await page.isEnabled("#train-form [name=resume]")) {
        await page.selectOption("#train-form [name=engine]", "wasm");
        // A tab in the background goes on, and shows no speed that is not the device's.
        await visitor.setHidden(true);
        await page.evaluate(() => document.querySelector<HTMLElement>("#train-form [name=resume]")!.click());
        await visitor.status("train", "Both have");
        expect(await page.textContent("#learners .sparse .speed")).toBe("–");
      }
      const run = await downloaded();
      const losses = (await readMetrics(join(run, "metrics.jsonl"))).flatMap(({ loss }) => loss ?? []);
      await using backend = await wasmBackend({ threads: 1 });
      await using opened = await openRun(run, { backend });
      const { model, training } = opened.config;
      const inNode: number[] = [];
      await using again = await train({
        backend,
        model,
        training,
        data: TEXT,
        onStep: ({ loss }) => inNode.push(loss),
      });
      expect(losses).toHaveLength(STEPS);
      for (const [i, loss] of losses.entries()) expect(Number(loss) / inNode[i]!).toBeCloseTo(1, 3);
      const written = async (from: typeof opened) => {
        let all = "";
        for await (const piece of from.generate("In order ", { maxTokens: 8, temperature: 0 })) all += piece.text;
        return all;
      };
      expect(await written(opened)).toBe(await written(again));
      // What was trained here can be watched here.
      await visitor.setHidden(false);
      await page.click('nav a[href="#watch"]');
      await page.click("#watch-view summary");
      await page.selectOption("[name=models]", "trained");
      expect(await visitor.write("wasm", 3)).toMatch("Done");
      expect(await page.textContent("#race .sparse .what")).toMatch("249 k weights");
    },
    TEST_TIME,
  );

  test(
    "a text is dropped where models are watched; on WebGPU they learn from it, and what was kept goes on where its device is lost",
    async () => {
      const { served, visitor, browser } = stage;
      const { page } = visitor;
      await visitor.visit(served.plain);
      await visitor.drop("union.txt", "text/plain", TEXT);
      expect(await visitor.status("train", "union.txt")).toMatch(`${TEXT.length.toLocaleString("en")} characters`);
      expect(await page.isVisible("#train-view")).toBe(true);
      await visitor.drop("picture.png", "image/png", "\0\0");
      expect(await visitor.status("train", "picture")).toMatch("picture.png is no text");
      await visitor.train("webgpu", TEXT, 300);
      // What can be downloaded is kept: each is a moment after its evaluation.
      const kept = () => page.locator("#learners .download:enabled").count();
      await expect.poll(kept, WAIT).toBe(2);
      expect(await page.textContent("#held-said")).toMatch(/sparse .* dense /);
      expect(await page.textContent("#learners .dense .what")).toMatch(/webgpu/);
      await loseGpu(browser);
      expect(await visitor.status("train", "was lost")).toMatch("was lost");
      await page.selectOption("#train-form [name=engine]", "wasm");
      await page.click("#train-form [name=resume]");
      // One of the two may have done all of its steps before, and is not asked again.
      const engines = async () => (await page.locator("#learners .what").allTextContents()).join();
      await expect.poll(engines, WAIT).toMatch(/wasm/);
      await visitor.status("train", "Both have");
    },
    TEST_TIME,
  );
}
