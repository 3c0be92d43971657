// @module-tag chromium
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type LaunchOptions, type Page } from "playwright";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { reportPage } from "../src/report/index.ts";
import { STYLE } from "../src/report/style.ts";
import type { Result } from "../src/results/result.ts";
import { everySection, measurement, metrics } from "./report-lines.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the browser is, as vitest.config.ts found it. */
    chromium: LaunchOptions | undefined;
  }
}

const SECTIONS = ["speed-up", "throughput", "roofline", "scale", "context", "training", "results"];

const file = (path: string, results: readonly Result[]) => ({ path, results, metrics: [], studies: [] });
const run = (path: string, floor: number) => ({
  path,
  results: [],
  studies: [],
  metrics: metrics(floor) as { step: number }[],
}); // made so

let folder: string;
let address: string;
let browser: Browser;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "finegrain-report-"));
  const path = join(folder, "index.html");
  const evidence = [
    file("made-up.jsonl", everySection),
    run("runs/dense/metrics.jsonl", 1.2),
    run("runs/sparse/metrics.jsonl", 1.4),
  ];
  await writeFile(path, await reportPage(evidence));
  address = pathToFileURL(path).href;
  browser = await chromium.launch({ ...inject("chromium"), args: ["--no-sandbox"] });
});
afterAll(async () => {
  await browser.close();
  await rm(folder, { recursive: true });
});

/** The page, with all that it asked for and all that the console said. */
async function opened(width: number, colorScheme: "light" | "dark", javaScriptEnabled = true) {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme, javaScriptEnabled });
  const [requests, said]: [string[], string[]] = [[], []];
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(error.message));
  await page.goto(address);
  return { page, requests, said };
}

const widthBeyond = (page: Page) => page.evaluate("document.documentElement.scrollWidth - innerWidth");

describe.each([390, 1280])("at %i px", (width) => {
  test.each(["light", "dark"] as const)("in %s, all is there and nothing is fetched", async (scheme) => {
    const { page, requests, said } = await opened(width, scheme);
    expect(await widthBeyond(page)).toBeLessThanOrEqual(0);
    for (const id of SECTIONS) expect(await page.locator(`section#${id}`).isVisible(), id).toBe(true);
    const charts = page.locator("figure .drawing svg:visible");
    expect(await charts.count()).toBe(await page.locator("figure").count());
    for (const chart of await charts.all()) {
      expect(await chart.locator('[aria-label="dot"] > *, [aria-label="line"] > path').count()).toBeGreaterThan(0);
      expect(await chart.locator("xpath=..").getAttribute("aria-label")).toMatch(/\w+\. \w+/);
    }
    expect(requests).toEqual([address]);
    expect(said).toEqual([]);
    await page.close();
  });

  test("text stands out from what is behind it in both colour schemes", async () => {
    const colours = async (scheme: "light" | "dark") => {
      const { page } = await opened(width, scheme);
      const of = await page.evaluate(
        'JSON.stringify([getComputedStyle(document.querySelector("figure")).backgroundColor, getComputedStyle(document.querySelector("figure svg text")).fill])',
      );
      await page.close();
      return JSON.parse(String(of)) as [string, string];
    };
    const brightness = (rgb: string) => Number(/\d+/.exec(rgb)?.[0]);
    const [[lightCard, lightText], [darkCard, darkText]] = [await colours("light"), await colours("dark")];
    expect(brightness(lightCard) - brightness(lightText)).toBeGreaterThan(150);
    expect(brightness(darkText) - brightness(darkCard)).toBeGreaterThan(150);
  });

  test("labels of an axis do not touch each other", async () => {
    const { page } = await opened(width, "light");
    const touching =
      await page.evaluate(`[...document.querySelectorAll('[aria-label$="axis tick label"]')].flatMap((axis) => {
      const boxes = [...axis.querySelectorAll("text")].map((text) => text.getBoundingClientRect()).filter(({ width }) => width > 0);
      return boxes.slice(1).filter((box, i) => { const before = boxes[i];
        return box.left < before.right && before.left < box.right && box.top < before.bottom && before.top < box.bottom; });
    }).length`);
    expect(touching).toBe(0);
    await page.close();
  });
});

test("no label is cut, in a chart of many steps neither", async () => {
  const long = run("runs/demo/dense/metrics.jsonl", 1.2);
  const metrics = long.metrics.map((line, i) => ({ ...line, step: i * 1000 }));
  const html = await reportPage([{ ...long, metrics: [...metrics, { step: 1_000_000, loss: 1 }] }]);
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await page.setContent(html);
  const cut = await page.evaluate(`[...document.querySelectorAll("figure svg text")].filter((text) => {
    const [own, around] = [text.getBoundingClientRect(), text.closest("svg").getBoundingClientRect()];
    return own.width > 0 && (own.left < around.left - 1 || own.right > around.right + 1);
  }).map((text) => text.textContent)`);
  expect(cut).toEqual([]);
  expect(await page.title()).toBe("finegrain training runs");
  expect(await page.locator("#training tbody th").textContent()).toBe("runs/demo/dense");
  await page.close();
});

test("a table that goes on beyond its edge shows a shadow there", async () => {
  const { page } = await opened(1280, "light");
  const table = page.locator("#results .scroll");
  expect((await table.boundingBox())!.width).toBeGreaterThan(1200);
  // The colours of a column of pixels at the right edge, before and after scrolling to the end.
  const edge = async () => {
    const box = (await table.boundingBox())!;
    const shot = await page.screenshot({
      clip: { x: box.x + box.width - 6, y: box.y + 40, width: 4, height: 1 },
      fullPage: true,
    });
    return shot.toString("base64");
  };
  const before = await edge();
  const more = await table.evaluate("(at) => at.scrollWidth - at.clientWidth" as never);
  await page.evaluate('document.querySelector("#results .scroll").scrollLeft = 1e6');
  expect((await edge()) === before).toBe(Number(more) <= 0);
  await page.close();
});

test("colours are far from each other, and from what is behind them", () => {
  const value = (scheme: string, name: string) => new RegExp(`--${name}: (#[0-9a-f]{6})`).exec(scheme)![1]!;
  const [light, dark] = [STYLE, STYLE.slice(STYLE.indexOf("prefers-color-scheme"))];
  for (const scheme of [light, dark]) {
    const colours = Array.from({ length: 8 }, (_, i) => value(scheme, `series-${i}`));
    const card = value(scheme, "card");
    for (const [i, one] of colours.entries()) {
      expect(contrast(one, card), one).toBeGreaterThan(3);
      for (const other of colours.slice(0, i)) expect(distance(one, other), `${one} ${other}`).toBeGreaterThan(0.17);
    }
  }
});

/** Red, green and blue, linear. */
const linear = (hex: string): number[] =>
  [1, 3, 5]
    .map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
const sum = (weights: number[], values: number[]) => weights.reduce((all, weight, i) => all + weight * values[i]!, 0);

/** Of WCAG 2: 3 is what graphics need. */
function contrast(one: string, other: string): number {
  const [low, high] = [one, other]
    .map((hex) => sum([0.2126, 0.7152, 0.0722], linear(hex)) + 0.05)
    .sort((a, b) => a - b);
  return high! / low!;
}

/** In Ottosson's OKLab (2020), where 0.02 is just seen. */
function distance(one: string, other: string): number {
  const [a, b] = [one, other].map((hex) => {
    const cones = [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ].map((weights) => Math.cbrt(sum(weights, linear(hex))));
    return [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ].map((weights) => sum(weights, cones));
  });
  return Math.hypot(...a!.map((x, i) => x - b![i]!));
}

test("nothing in the page needs scripts or leads to a network", async () => {
  const { page, requests } = await opened(390, "light", false);
  expect(await page.locator("figure svg:visible").count()).toBeGreaterThan(5);
  expect(requests).toEqual([address]);
  await page.close();
  const html = await reportPage([file("made-up.jsonl", everySection)]);
  expect(/<script|https?:\/\/(?!www\.w3\.org\/)|@import|url\(/i.exec(html)?.[0]).toBeUndefined();
});

test("text of result files is text, wherever it stands", async () => {
  const hostile = `<img src=x onerror="document.title='taken'">&'`;
  const line = measurement({ variant: hostile, case: hostile, backend: hostile, device: hostile });
  const html = await reportPage([
    file(`${hostile}.jsonl`, [line, { ...line, case: "another", error: hostile } as Result]),
    run(`${hostile}/metrics.jsonl`, 1),
  ]);
  // By their length: all of the page would be the message.
  expect(html.split("<img").length).toBe(1);
  const page = await browser.newPage();
  await page.setContent(html);
  expect(await page.title()).toBe("finegrain benchmarks");
  expect(await page.locator("figure .drawing svg:visible").first().textContent()).toContain(hostile);
  await page.close();
});

test("a section without data is not shown, and what failed is a line", async () => {
  const failed = everySection.filter((result) => "error" in result);
  const html = await reportPage([file("failed.jsonl", failed)]);
  expect([...html.matchAll(/<section id="([^"]+)"/g)].map(([, id]) => id)).toEqual(["results"]);
  expect(html.includes("failed: out of memory")).toBe(true);
});

test("a chart shows the last result for the same thing, and the table both", async () => {
  const first = measurement({ variant: "sparse-ff-qkv", overDense: { median: 2, low: 2, high: 2 } });
  const second = { ...first, overDense: { median: 3, low: 3, high: 3 } };
  const html = await reportPage([file("first.jsonl", [first]), file("second.jsonl", [second])]);
  const speedUp = html.slice(html.indexOf('id="speed-up"'), html.indexOf('id="throughput"'));
  expect(speedUp).toContain("3.00×");
  expect(speedUp).toContain("2.62×"); // the paper's
  expect(speedUp).not.toContain("2.00×");
  const table = html.slice(html.indexOf('id="results"'));
  expect(table).toContain("first.jsonl");
  expect(table).toContain("second.jsonl");
});

test("of however many backends, each has a symbol that its colour fills", async () => {
  const results = Array.from({ length: 12 }, (_, k) => measurement({ backend: `backend ${k}` }));
  const page = await browser.newPage();
  await page.setContent(await reportPage([file("many.jsonl", results)]));
  const middles = await page.evaluate<boolean[]>(`
    [...document.querySelectorAll('#throughput [aria-label="dot"] path')]
      .filter((path) => path.getClientRects().length > 0)
      .map((path) => path.isPointInFill(new DOMPoint(0, 0)))`);
  await page.close();
  expect(middles.length).toBeGreaterThanOrEqual(12);
  expect(middles).not.toContain(false);
});
