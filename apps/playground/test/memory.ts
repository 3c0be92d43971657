/// <reference lib="dom" />
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { initialize, type ModelConfig, parameterCount, scalingLM, writeSafetensors } from "@finegrain/nn";
import { expect, test } from "vitest";
import { browserBytes } from "./browser-bytes.ts";
import { type EngineName, type Stage, TEST_TIME } from "./stage.ts";

const LOADS = 50;
/** Loads after which everything is as large as it gets. */
const WARM = 20;
/** Wide, so that a model that is left behind is seen, and of one layer, so that it is opened soon. */
const CONFIG: ModelConfig = {
  vocabulary: 256,
  dModel: 128,
  dFf: 4096,
  layers: 1,
  heads: 2,
  maxLength: 32,
  feedForward: { type: "sparse", blockSize: 16 },
};
const model = scalingLM(CONFIG);
/** Milliseconds between two looks at the memory, and until it must have been given back. */
const POLL = { interval: 500, timeout: 60_000 };
/** Looks after which what the first loads left is collected. */
const SETTLING = 3;
/** In memory: a browser may keep what a worker fetches. */
const FILES = [
  ["config.json", JSON.stringify(CONFIG)],
  ["model.safetensors", writeSafetensors(initialize(model.params, 1))],
] as const;

/** What a page has that opens models, one in place of the other. */
interface Loader {
  load(count: number): Promise<void>;
  /** Collect the garbage of its worker. */
  collect(): Promise<void>;
}

export function memory(stage: Stage): void {
  test.each(["wasm", "webgpu"] as const)(
    `${LOADS} loads and disposals of a model on %s leave the heap and the device's memory as they were`,
    async (engine) => {
      const { served, visitor } = stage;
      const { page, context } = visitor;
      await visitor.visit(served.isolated);
      const files = FILES.map(([path, content]) => ({ path, base64: Buffer.from(content).toString("base64") }));
      const script = `${served.isolated}assets/${await workerScript(served.folder)}`;
      await page.evaluate(openLoader, { engine, files, script });
      const load = (count: number) =>
        page.evaluate((count) => (window as unknown as { loader: Loader }).loader.load(count), count);
      const bytes = async () => {
        await page.evaluate(() => (window as unknown as { loader: Loader }).loader.collect());
        return browserBytes(context, page);
      };
      await load(WARM);
      let before = await bytes();
      for (let again = 0; again < SETTLING; again++) {
        await page.waitForTimeout(POLL.interval);
        before = Math.min(before, await bytes());
      }
      await load(LOADS - WARM);
      // A quarter of what would be there if every load left its weights behind, which are of 4 bytes. Workers and their memory end by and by.
      const grown = async () => (await bytes()) - before;
      await expect.poll(grown, POLL).toBeLessThan((LOADS - WARM) * parameterCount(model.params));
    },
    TEST_TIME,
  );

  test(
    "a view that is left gives back what it held",
    async () => {
      const { served, visitor } = stage;
      const { page, context } = visitor;
      await visitor.visit(served.plain);
      const session = await context.newCDPSession(page);
      await session.send("Performance.enable");
      const heap = async () => {
        await session.send("HeapProfiler.collectGarbage");
        const { metrics } = await session.send("Performance.getMetrics");
        return metrics.find(({ name }) => name === "JSHeapUsedSize")!.value;
      };
      const sizes: number[] = [];
      for (let i = 0; i < 4; i++) {
        await visitor.write("wasm", 1);
        await page.click('nav a[href="#train"]');
        await expect.poll(() => page.workers().length).toBe(0);
        sizes.push(await heap());
        await page.click('nav a[href="#watch"]');
      }
      expect(sizes.at(-1)! - sizes[1]!).toBeLessThan(3e5);
    },
    TEST_TIME,
  );
}

/** The script of the page's worker: engines have workers too. */
async function workerScript(folder: string): Promise<string> {
  const assets = join(folder, "assets");
  for (const name of await readdir(assets))
    if (/^worker-.*\.js$/.test(name) && (await readFile(join(assets, name), "utf8")).includes("readLines")) return name;
  throw new Error(`there is no script of the page's worker in ${assets}`);
}

interface LoaderOptions {
  readonly engine: EngineName;
  readonly files: readonly { readonly path: string; readonly base64: string }[];
  readonly script: string;
}

/** In the page: start its own worker, which opens a model in place of the one before. */
async function openLoader({ engine, files, script }: LoaderOptions): Promise<void> {
  const program = `await import(${JSON.stringify(script)});
    const job = self.onmessage;
    self.onmessage = (event) => {
      if (event.data !== "collect") return job(event);
      gc();
      self.postMessage({ result: "collected" });
    };
    self.postMessage({ result: "there" });`;
  const address = URL.createObjectURL(new Blob([program], { type: "text/javascript" }));
  const worker = new Worker(address, { type: "module" });
  const answer = () =>
    new Promise<void>((resolve, reject) => {
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.onmessage = ({ data }) => {
        if ("error" in data) reject(new Error(data.error));
        if ("result" in data) resolve();
      };
    });
  const ask = (message: unknown) => {
    const answered = answer();
    worker.postMessage(message);
    return answered;
  };
  await answer();
  const given = await Promise.all(
    files.map(async ({ path, base64 }) => ({ path, file: await (await fetch(`data:;base64,${base64}`)).blob() })),
  );
  const models = [{ kind: "files", name: "model", files: given }];
  const loader: Loader = {
    async load(count) {
      for (let i = 0; i < count; i++) {
        await ask({ id: 1, job: "open", input: { models, engine: { name: engine } } });
        // What a graph is compiled to is given back too; a software GPU takes long to compile.
        const input = { models: [0], prompt: "T", maxTokens: 1, temperature: 0, seed: 0 };
        if (i % 10 === 0 && engine === "wasm") await ask({ id: 2, job: "write", input });
      }
    },
    collect: () => ask("collect"),
  };
  Object.assign(window, { loader });
}
