import { readdir, readFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { expect, test } from "vitest";
import { type Stage, TEST_TIME } from "./stage.ts";

export function docs(stage: Stage): void {
  test("every link of the docs leads to something that is there", async () => {
    const folder = join(stage.served.folder, "docs");
    const files = new Set(
      (await readdir(stage.served.folder, { recursive: true })).map((path) => posix.normalize(path)),
    );
    const pages = (await readdir(folder)).filter((name) => name.endsWith(".html"));
    expect(pages).toEqual(
      expect.arrayContaining(["index.html", "how-it-works.html", "nn.html", "distributed-api.html"]),
    );
    const texts = new Map<string, string>();
    for (const page of pages) texts.set(page, await readFile(join(folder, page), "utf8"));
    const dead: string[] = [];
    for (const [page, text] of texts)
      for (const [, href] of text.matchAll(/(?:href|src|srcset)="([^"]*)"/g)) {
        if (/^[a-z]+:/.test(href!)) continue;
        const [path, hash] = href!.split("#") as [string, string?];
        const target = posix.join("docs", path === "" ? page : path);
        const isThere = files.has(target);
        const own = texts.get(posix.relative("docs", target));
        if (!isThere || (hash && own && !own.includes(`id="${hash}"`))) dead.push(`${page}: ${href}`);
      }
    expect(dead).toEqual([]);
  });

  test(
    "docs and page lead to each other, by keyboard too, and axe-core finds nothing",
    async () => {
      const { served, visitor } = stage;
      const { page } = visitor;
      await visitor.visit(served.plain);
      await page.click('nav a:text("Docs")');
      expect(await page.textContent("h1")).toBe("finegrain");
      await page.keyboard.press("Tab");
      expect(await page.textContent(":focus")).toBe("Skip to the content");
      await page.keyboard.press("Enter");
      await page.keyboard.press("Tab");
      expect(await page.evaluate(() => document.activeElement!.closest("main")?.id)).toBe("main");
      await page.click('#contents a[href="distributed.html"]');
      expect(await visitor.complaints()).toEqual([]);
      await page.emulateMedia({ colorScheme: "dark" });
      await page.click('#contents a[href="distributed-api.html"]');
      expect(await page.textContent("table")).toMatch("This process, from 0.");
      expect(await visitor.complaints()).toEqual([]);
      await page.setViewportSize({ width: 390, height: 800 });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
      await page.click('nav a:text("Train")');
      await page.waitForSelector("#train-view:not([hidden])");
    },
    TEST_TIME,
  );
}
