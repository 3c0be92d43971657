import { execFile } from "node:child_process";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type BuildOptions, build, transform } from "esbuild";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { publishedPackages } from "../imports.ts";
import { examples } from "./examples.ts";
import { double, doubled } from "./program.ts";

const run = promisify(execFile);
const { folder } = inject("installed");
const program = (options: object) => `${double(options)}\nresult.then((it) => console.log(JSON.stringify(it)));`;

/** What a Node with these arguments prints, as JSON. */
async function output(args: readonly string[], env: Record<string, string> = {}, cwd = folder): Promise<unknown> {
  const { stdout } = await run(process.execPath, args, { cwd, env: { ...process.env, ...env }, timeout: 60_000 });
  return JSON.parse(stdout);
}

beforeAll(() => writeFile(join(folder, "double.js"), program({ threads: 2 })));

test("runs as an ES module", async () => {
  expect(await output(["double.js"])).toEqual(doubled(2));
});

test("runs from the command line", async () => {
  expect(await output(["--input-type=module", "-e", program({ threads: 2 })])).toEqual(doubled(2));
});

test("its threads load nothing that the program preloads", async () => {
  const preload = join(folder, "preload.cjs");
  await writeFile(preload, 'if (!require("node:worker_threads").isMainThread) throw new Error("preloaded");');
  expect(await output(["double.js"], { NODE_OPTIONS: `--require=${preload}` })).toEqual(doubled(2));
  expect(await output(["--require", preload, "double.js"])).toEqual(doubled(2));
});

/** The README's example, made small. */
const library = `
import { openBackend, openRun, readText, train } from "finegrain";

await using backend = await openBackend();
await using run = await train({ backend, out: "runs/a", data: await readText("my.txt"),
  model: { layers: 1, dModel: 32, heads: 2, feedForward: { type: "sparse", blockSize: 16 } },
  training: { steps: 3, batch: 2, length: 16 } });
let written = "";
for await (const { text } of run.generate("It is ", { maxTokens: 4, temperature: 0 })) written += text;
await using again = await openRun("runs/a", { backend });
let repeated = "";
for await (const { text } of again.generate("It is ", { maxTokens: 4, temperature: 0 })) repeated += text;
const { name, device: { fallback } } = backend;
console.log(JSON.stringify({ name, fallback, steps: again.step, bits: run.outcome.bitsPerByte > 0, same: written === repeated }));
`;

test("the library trains, writes and opens what it wrote, and says what it runs on", async () => {
  const alone = join(folder, "library");
  await mkdir(alone);
  await writeFile(join(alone, "my.txt"), "It is a text to learn from. ".repeat(200));
  await writeFile(join(alone, "main.mjs"), (await transform(library, { target: "node20" })).code);
  expect(await output(["main.mjs"], {}, alone)).toEqual({
    name: "wasm",
    fallback: "wasm runs in place of onnx: onnxruntime-node is not installed: npm install onnxruntime-node",
    steps: 3,
    bits: true,
    same: true,
  });
});

test("a CommonJS program can require every package, and import it", async () => {
  const names = publishedPackages()
    .map(({ name, exports }) => (exports["."] ? name : undefined))
    .filter((name) => name !== undefined && name !== "@finegrain/backend-testkit");
  const file = join(folder, "host.cjs");
  await writeFile(
    file,
    `const names = ${JSON.stringify(names)};
    (async () => {
      const all = [];
      for (const name of names) all.push([name, Object.keys(require(name)).length > 0, require(name) === await import(name)]);
      console.log(JSON.stringify(all));
    })();`,
  );
  expect(await output([file])).toEqual(names.map((name) => [name, true, true]));
});

describe("with Node's permissions", () => {
  const permission = Number(process.versions.node.split(".")[0]) < 24 ? "--experimental-permission" : "--permission";
  const allowed = [permission, "--allow-fs-read=*"];
  test("one thread stands in for those that are not allowed", async () => {
    await writeFile(join(folder, "default.js"), program({}));
    expect(await output([...allowed, "default.js"])).toEqual(doubled(1));
  });

  test("threads that were asked for are a sentence", async () => {
    const { error } = (await output([...allowed, "double.js"])) as { error: string };
    expect(error).toMatch(/^no workers start here \(.*\): ask for 1 thread$/);
  });

  test("threads that are allowed run", async () => {
    expect(await output([...allowed, "--allow-worker", "double.js"])).toEqual(doubled(2));
  });
});

describe.each<[string, BuildOptions]>([
  ["plainly", {}],
  ["with names kept", { keepNames: true }],
  ["minified", { minify: true }],
  ["minified with names kept", { minify: true, keepNames: true }],
  ["as CommonJS", { format: "cjs", keepNames: true }],
])("bundled %s", (_, options) => {
  test("runs in a folder of its own", async () => {
    const alone = await mkdtemp(join(tmpdir(), "bundle-"));
    const outfile = join(alone, options.format === "cjs" ? "bundle.cjs" : "bundle.mjs");
    const bundle = { bundle: true, platform: "node", target: "node20", format: "esm", logLevel: "error" } as const;
    const stdin = { contents: program({}), resolveDir: folder };
    await build({ ...bundle, stdin, outfile, ...options });
    expect(await output([outfile], {}, alone)).toEqual(doubled(availableParallelism()));
  });
});

/** What the examples of these pages need is not installed here: their own packages' tests run them. */
const NATIVE = /@finegrain\/(backend-onnx|backend-tfjs|backend-webgpu)/;
/** What trains a model of the usual size takes minutes: examples/train.ts is such a program, with a smaller one. */
const TRAINS = /await train\(/;
const quick = Object.entries(examples()).filter(([, code]) => !NATIVE.test(code) && !TRAINS.test(code));

describe.each(quick)("the example %s", (name, code) => {
  test("runs", async () => {
    const at = join(folder, "examples", name);
    await mkdir(at, { recursive: true });
    await writeFile(join(at, "README.md"), "A text to learn from. ".repeat(200)); // which one of them reads
    await writeFile(join(at, "example.mjs"), (await transform(code, { loader: "ts", target: "node20" })).code);
    await run(process.execPath, ["example.mjs"], { cwd: at, timeout: 100_000 });
  });
});
