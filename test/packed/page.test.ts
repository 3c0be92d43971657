// @module-tag chromium
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { type BuildOptions, build } from "esbuild";
import { type Browser, chromium } from "playwright";
import { build as buildByVite } from "vite";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { webpack } from "webpack";
import { double, doubled } from "./program.ts";

const { folder } = inject("installed");
const launch = inject("chromium");

const TYPES: Record<string, string> = { ".js": "text/javascript", ".html": "text/html" };
/** Threads need a page that is isolated; the rest is what each test adds. */
const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

const html = '<!doctype html><script type="module" src="./page.js"></script>';
/** A page that leaves what the program returns in its title. Bundling webgpu with it shows that this can be done. */
const page = (options: object) => `${double(options)}
export { webgpuBackend } from "@finegrain/backend-webgpu";
result.then((it) => { document.title = JSON.stringify(it); });`;
const inWorker = `${double({ threads: 2 })}
result.then((it) => postMessage(it));`;
const pageOfWorker = `
const worker = new Worker(new URL("./inner.js", import.meta.url), { type: "module" });
worker.onmessage = ({ data }) => { document.title = JSON.stringify(data); };`;

let browser: Browser;
let server: Server;
/** The policy of the page that is served next. */
let policy = "";

beforeAll(async () => {
  browser = await chromium.launch({ ...launch, args: ["--no-sandbox"] });
  server = createServer(async ({ url }, response) => {
    const path = join(folder, "pages", new URL(url!, "http://localhost").pathname);
    const body = await readFile(path).catch(() => undefined);
    const headers = { ...ISOLATED, ...(policy && { "Content-Security-Policy": policy }) };
    response
      .writeHead(body ? 200 : 404, { ...headers, "Content-Type": TYPES[extname(path)] ?? "text/plain" })
      .end(body);
  }).listen(0);
  await mkdir(join(folder, "pages"), { recursive: true });
});
afterAll(async () => {
  server.close();
  await browser.close();
});

/** What a page says in its title. */
async function said(path: string, csp = ""): Promise<unknown> {
  policy = csp;
  const tab = await browser.newPage();
  try {
    await tab.goto(`http://localhost:${(server.address() as AddressInfo).port}/${path}/index.html`);
    await expect.poll(() => tab.title(), { timeout: 25_000 }).toMatch(/^\{/);
    return JSON.parse(await tab.title());
  } finally {
    await tab.close();
  }
}

/** Files of a page before it is bundled. */
async function write(name: string, files: Record<string, string>): Promise<string> {
  const at = join(folder, "sources", name);
  await mkdir(at, { recursive: true });
  for (const [file, text] of Object.entries(files)) await writeFile(join(at, file), text);
  return at;
}

async function byEsbuild(name: string, files: Record<string, string>, options: BuildOptions = {}): Promise<void> {
  const at = await write(name, files);
  const outdir = join(folder, "pages", name);
  const entryPoints = Object.keys(files).map((file) => join(at, file));
  await build({ entryPoints, outdir, bundle: true, format: "esm", logLevel: "error", ...options });
  await writeFile(join(outdir, "index.html"), html);
}

async function byVite(name: string, files: Record<string, string>): Promise<void> {
  const root = await write(name, { "index.html": html, ...files });
  const outDir = join(folder, "pages", name);
  await buildByVite({
    root,
    base: "./",
    logLevel: "error",
    configFile: false,
    worker: { format: "es" },
    build: { outDir, target: "es2022" },
  });
}

/** What webpack says is wrong, warnings too. */
async function byWebpack(name: string, files: Record<string, string>): Promise<string> {
  const context = await write(name, files);
  const path = join(folder, "pages", name);
  const output = { path, filename: "page.js", publicPath: "auto" };
  const compiler = webpack({ mode: "production", target: "web", context, entry: "./page.js", output });
  const stats = await promisify(compiler.run.bind(compiler))();
  await promisify(compiler.close.bind(compiler))();
  await writeFile(join(path, "index.html"), html);
  return stats!.toString({ all: false, errors: true, warnings: true }); // a run that ends without an error has them
}

describe.each<[string, BuildOptions]>([
  ["plain", {}],
  ["names-kept", { keepNames: true }],
  ["minified", { minify: true, keepNames: true }],
])("esbuild, %s", (name, options) => {
  test("runs in a page", async () => {
    await byEsbuild(name, { "page.js": page({ threads: 2 }) }, options);
    expect(await said(name)).toEqual(doubled(2));
  });

  test("runs in a worker", async () => {
    await byEsbuild(`${name}-worker`, { "page.js": pageOfWorker, "inner.js": inWorker }, options);
    expect(await said(`${name}-worker`)).toEqual(doubled(2));
  });
});

describe("Vite", () => {
  test("runs in a page", async () => {
    await byVite("vite", { "page.js": page({ threads: 2 }) });
    expect(await said("vite")).toEqual(doubled(2));
  });

  test("runs in a worker", async () => {
    await byVite("vite-worker", { "page.js": pageOfWorker, "inner.js": inWorker });
    expect(await said("vite-worker")).toEqual(doubled(2));
  });
});

describe("webpack", () => {
  test("runs in a page", async () => {
    expect(await byWebpack("webpack", { "page.js": page({ threads: 2 }) })).toBe("");
    expect(await said("webpack")).toEqual(doubled(2));
  });

  test("runs in a worker", async () => {
    expect(await byWebpack("webpack-worker", { "page.js": pageOfWorker, "inner.js": inWorker })).toBe("");
    expect(await said("webpack-worker")).toEqual(doubled(2));
  });
});

describe("a page whose policy forbids workers from blobs", () => {
  const OWN = "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'";

  test("has them from the file that the bundler put there", async () => {
    await byVite("policy", { "page.js": page({ threads: 2 }) });
    expect(await said("policy", OWN)).toEqual(doubled(2));
  });

  test("has one thread where there is no such file", async () => {
    await byEsbuild("policy-default", { "page.js": page({}) });
    expect(await said("policy-default", OWN)).toEqual(doubled(1));
  });

  test("is told in a sentence of threads that it asked for", async () => {
    await byEsbuild("policy-threads", { "page.js": page({ threads: 2 }) });
    expect(await said("policy-threads", OWN)).toEqual({
      error:
        "no workers start here (the page lets no worker start from its file; the page lets no worker start from a blob): ask for 1 thread",
    });
  });
});
