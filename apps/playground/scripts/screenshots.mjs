/*
 * Makes the pictures of the README, in screenshots/: the page at three widths, light and dark. After `npm run build`:
 *
 *   node apps/playground/scripts/screenshots.mjs [FOLDER]
 *
 * Chromium is the one in PATH, or CHROMIUM says where it is.
 */
import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright";
import { preview } from "vite";

/** A phone, taller than it is, so that units are seen; a laptop, a wide screen. */
const SIZES = [
  { width: 390, height: 1180 },
  { width: 1280, height: 900 },
  { width: 1920, height: 1080 },
];
const QUALITY = 80;
const TOKENS = 280;
const PATIENCE = { timeout: 120_000 };

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = process.argv[2] ?? `${root}screenshots`;
await mkdir(folder, { recursive: true });

const server = await preview({ root, logLevel: "error", preview: { port: 0 } });
const executablePath = process.env.CHROMIUM ?? execFileSync("which", ["chromium"], { encoding: "utf8" }).trim();
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
try {
  for (const colorScheme of ["light", "dark"])
    for (const viewport of SIZES) {
      const context = await browser.newContext({ viewport, colorScheme });
      const page = await context.newPage();
      await page.goto(server.resolvedUrls.local[0]);
      await page.waitForSelector("#device:not(:empty)");
      await page.click("#watch-view summary");
      await page.fill("[name=maxTokens]", `${TOKENS}`);
      await page.click("#watch-view summary");
      await page.click("#watch-form [name=go]");
      await page.waitForFunction(() => /^Done/.test(document.querySelector("#watch-status").textContent), PATIENCE);
      await page.hover("#race .sparse .text span:last-child");
      await picture(page, `watch-${viewport.width}-${colorScheme}.webp`);
      await context.close();
    }
} finally {
  await browser.close();
  await server.close();
}

/** Of the page's first screen. Playwright itself makes no WebP, which is a third of PNG. */
async function picture(page, name) {
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send("Page.captureScreenshot", { format: "webp", quality: QUALITY });
  const bytes = Buffer.from(data, "base64");
  await writeFile(`${folder}/${name}`, bytes);
  console.log(`${name}: ${Math.round(bytes.length / 1000)} kB`);
}
