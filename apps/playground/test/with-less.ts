import type { Browser } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, type Stage, TEST_TIME, Visitor } from "./stage.ts";

const TEXT = "We hold these truths to be self-evident, that all of them are created equal. ".repeat(40);

export function withLess(stage: Stage): void {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch(["--disable-features=WebGPU,WebGPUService", "--disable-gpu"]);
  }, TEST_TIME);
  afterAll(() => browser?.close());

  test(
    "without WebGPU and without storage the page says so, in a sentence each, and watches and trains on WebAssembly",
    async () => {
      const visitor = await Visitor.of(browser);
      const { page } = visitor;
      const without = "delete StorageManager.prototype.getDirectory;\n";
      await page.addInitScript(without);
      // Scripts of workers are none of the page's.
      await page.route(/worker-[^/]*\.js$/, async (route) => {
        const response = await route.fetch();
        await route.fulfill({ response, body: `${without}${await response.text()}` });
      });
      await visitor.visit(stage.served.isolated);
      const device = await page.textContent("#device");
      expect(device).toMatch(/This browser has no WebGPU: the page runs on WebAssembly, \d+ threads?\./);
      expect(device).toMatch(/It keeps no files of pages, so that what is trained here is gone when you leave\./);
      expect(await page.locator("#watch-form [name=engine] option").allTextContents()).toHaveLength(1);
      expect(await visitor.write("wasm", 3)).toMatch("Done, on wasm");
      await page.selectOption("[name=models]", "trained");
      expect(await visitor.write("wasm", 3)).toMatch("there is no pair that you trained");
      await page.click('nav a[href="#train"]');
      await visitor.train("wasm", TEXT, 2000);
      await expect.poll(() => page.textContent("#learners .sparse .steps"), { timeout: 100_000 }).toMatch(/^[1-9]/);
      await page.click("#train-form [name=pause]");
      await visitor.status("train", "Paused");
      const steps = async () => Number.parseInt((await page.textContent("#learners .sparse .steps"))!, 10);
      const before = await steps();
      await page.click("#train-form [name=resume]");
      await expect.poll(steps, { timeout: 100_000 }).toBeGreaterThan(before);
      await page.click("#train-form [name=pause]");
      await visitor.status("train", "Paused");
      const [download] = await Promise.all([page.waitForEvent("download"), page.click("#learners .sparse .download")]);
      expect(download.suggestedFilename()).toBe("sparse.zip");
      await visitor.leave();
    },
    TEST_TIME,
  );
}
