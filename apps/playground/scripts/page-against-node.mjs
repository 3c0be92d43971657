/*
 * Measures what the page makes of WebAssembly against Node on the same machine with the same threads: decoding and training, dense and sparse,
 * by the benchmark's own method. After `npm run build`:
 *
 *   node apps/playground/scripts/page-against-node.mjs [--turns 5] [--threads 1] [--out FILE]
 *
 * Page and Node take turns, each the first in every second one, so that whatever else the machine does touches both alike. It prints the
 * ratio of tokens a second, page over Node, as the median over the turns with the least and the most, and fails where a median is below 0.85.
 * Chromium is the one in PATH, or CHROMIUM says where it is.
 */
import { execFileSync } from "node:child_process";
import { appendFile, readdir, readFile } from "node:fs/promises";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openBackend } from "@finegrain/backends";
import { median } from "@finegrain/bench";
import { isMeasurement, parseSuite, runSuite } from "@finegrain/bench/method";
import { chromium } from "playwright";
import { preview } from "vite";

const LEAST = 0.85;
const root = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({
  options: {
    turns: { type: "string", default: "5" },
    threads: { type: "string", default: "1" },
    out: { type: "string" },
  },
});
const [turns, threads] = [Number(values.turns), Number(values.threads)];

const MODEL = { vocabulary: 256, dModel: 256, dFf: 1024, layers: 4, heads: 4, maxLength: 128 };
const variants = [
  { name: "dense", model: {} },
  { name: "sparse-ff", model: { feedForward: { type: "sparse", blockSize: 16 } } },
];
const suite = {
  name: "page-against-node",
  title: "decoding and training in the page and in Node",
  source: "random weights, float32",
  cases: [
    {
      name: "decode",
      phase: "decode",
      model: MODEL,
      variants,
      measure: { prompt: 16, units: 32, rounds: 12, warmup: 3 },
    },
    {
      name: "train",
      phase: "train",
      model: { ...MODEL, dModel: 64, dFf: 256, layers: 2 },
      variants,
      measure: { batch: 8, length: 64, units: 1, rounds: 12, warmup: 3 },
    },
  ],
};

/** Tokens a second by "case variant". */
const speeds = (results) =>
  new Map(
    results.map((result) => {
      if (!isMeasurement(result)) throw new Error(`${result.case} ${result.variant}: ${result.error ?? "no speed"}`);
      return [`${result.case} ${result.variant}`, result.tokensPerSecond.median];
    }),
  );

async function inNode() {
  const backend = await openBackend({ name: "wasm", threads });
  const results = [];
  for await (const some of runSuite(parseSuite(suite, "the suite"), { backend, quick: false })) results.push(...some);
  await backend[Symbol.asyncDispose]();
  return speeds(results);
}

/** The page's own worker does the job that the page's "Measure" asks it for. */
async function inPage(page, script) {
  const results = await page.evaluate(
    async ({ script, suite, threads }) => {
      const worker = new Worker(script, { type: "module" });
      const results = [];
      try {
        await new Promise((resolve, reject) => {
          worker.onerror = ({ message }) => reject(new Error(message));
          worker.onmessage = ({ data }) => {
            if ("error" in data) reject(new Error(data.error));
            else if ("result" in data) resolve();
            else if (data.event.kind === "results") results.push(...data.event.results);
          };
          const input = { suite, engine: { name: "wasm", threads }, isQuick: false, device: "" };
          worker.postMessage({ id: 1, job: "measure", input });
        });
      } finally {
        worker.terminate();
      }
      return results;
    },
    { script, suite, threads },
  );
  return speeds(results);
}

/** The script of the page's worker: engines have workers too. */
async function workerScript() {
  const assets = `${root}dist/assets/`;
  for (const name of await readdir(assets))
    if (/^worker-.*\.js$/.test(name) && (await readFile(`${assets}${name}`, "utf8")).includes("readLines")) return name;
  throw new Error("the page is not built: npm run build");
}

const script = await workerScript();
const server = await preview({ root, logLevel: "error", preview: { port: 0 } });
const address = server.resolvedUrls.local[0];
const executablePath = process.env.CHROMIUM ?? execFileSync("which", ["chromium"], { encoding: "utf8" }).trim();
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const ratios = new Map();
try {
  const page = await browser.newPage();
  await page.goto(address);
  for (let turn = 0; turn < turns; turn++) {
    const first = turn % 2 === 0 ? await inPage(page, `${address}assets/${script}`) : await inNode();
    const second = turn % 2 === 0 ? await inNode() : await inPage(page, `${address}assets/${script}`);
    const [own, node] = turn % 2 === 0 ? [first, second] : [second, first];
    for (const [name, speed] of own) {
      const ratio = speed / node.get(name);
      ratios.set(name, [...(ratios.get(name) ?? []), ratio]);
      const line = { turn, name, page: speed, node: node.get(name), ratio };
      console.log(JSON.stringify(line));
      if (values.out) await appendFile(values.out, `${JSON.stringify(line)}\n`);
    }
  }
} finally {
  const version = browser.version();
  await browser.close();
  await server.close();
  console.log(`${cpus()[0].model}, ${threads} thread(s); Chromium ${version}, Node ${process.versions.node}`);
}
for (const [name, all] of ratios) {
  const [low, high] = [Math.min(...all), Math.max(...all)];
  console.log(`${name}: ${median(all).toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)}) of ${all.length} turns`);
}
if ([...ratios.values()].some((all) => median(all) < LEAST)) process.exitCode = 1;
