import { readFile } from "node:fs/promises";
import { isMeasurement, parseEvidence } from "@finegrain/bench/method";
import schema from "@finegrain/bench/result.schema.json" with { type: "json" };
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { type Stage, TEST_TIME, WAIT } from "./stage.ts";

const fitsSchema = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(schema);

export function measuring(stage: Stage): void {
  test(
    "a suite is measured by the method of the command, and its lines are what a report takes",
    async () => {
      const { served, visitor } = stage;
      const { page } = visitor;
      await visitor.visit(`${served.isolated}#measure`);
      await page.selectOption("#measure-form [name=engine]", "wasm");
      await page.click("#measure-form [name=go]");
      await page.waitForSelector("#results table", WAIT);
      // The tab goes to the background, where figures would say too little: what was whole is kept.
      await visitor.setHidden(true);
      expect(await visitor.status("measure", "Stopped")).toMatch("went to the background");
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
      await visitor.status("measure", "Read the results");
      expect(await page.locator("#results tbody tr").count()).toBe(results.length);
      const other = JSON.stringify({ ...dense, machine: { ...dense!.machine, cpu: "Another device" } });
      await visitor.drop("other.jsonl", "", other);
      await expect.poll(() => page.textContent("#results")).toMatch("Another device");
      expect(await visitor.complaints()).toEqual([]);
    },
    TEST_TIME,
  );
}
