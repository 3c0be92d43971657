/// <reference lib="dom" />
import { createRequire } from "node:module";
import { type Browser, type BrowserContext, chromium, type LaunchOptions, type Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject } from "vitest";
import { type ServedPage, servePage } from "./served-page.ts";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
export const PROMPT = "The people ";
/** Milliseconds for a step on a machine that others use too. */
export const WAIT = { timeout: 100_000 };
/** Of a test, likewise. */
export const TEST_TIME = 300_000;

export type EngineName = "wasm" | "webgpu";
type View = "watch" | "train" | "measure";

/** What tests of the page share: it is built once, and one browser opens it, in a new context for every test. */
export interface Stage {
  readonly served: ServedPage;
  readonly browser: Browser;
  readonly visitor: Visitor;
}

/** Have the tests of this file on a stage: its parts are there while they run. */
export function onStage(): Stage {
  let served: ServedPage | undefined;
  let browser: Browser | undefined;
  let visitor: Visitor | undefined;
  beforeAll(async () => {
    served = await servePage();
    browser = await launch(["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--js-flags=--expose-gc"]);
  }, TEST_TIME);
  afterAll(async () => {
    await browser?.close();
    await served?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    visitor = await Visitor.of(browser!);
  });
  afterEach(async () => {
    await visitor!.leave();
  });
  return {
    get served() {
      return served!;
    },
    get browser() {
      return browser!;
    },
    get visitor() {
      return visitor!;
    },
  };
}

/** Take the GPU's process away from a browser, as a driver does that fails. */
export async function loseGpu(browser: Browser): Promise<void> {
  const session = await browser.newBrowserCDPSession();
  await session.send("Browser.crashGpuProcess");
  await session.detach();
}

export const launch = (args: readonly string[]): Promise<Browser> =>
  chromium.launch({ ...(inject("chromium") as LaunchOptions), args: ["--no-sandbox", ...args] }); // the tag says that it is there

interface Axe {
  run(options: { runOnly?: string }): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }>;
}

/** Someone who opens the page and uses it. */
export class Visitor {
  readonly context: BrowserContext;
  readonly page: Page;
  /** What the page's console called an error. */
  readonly #errors: string[] = [];

  private constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
    page.on("pageerror", ({ message }) => this.#errors.push(message));
  }

  static async of(browser: Browser): Promise<Visitor> {
    const context = await browser.newContext();
    return new Visitor(context, await context.newPage());
  }

  /** Close the page, which must have had no error. */
  async leave(): Promise<void> {
    await this.context.close();
    expect(this.#errors).toEqual([]);
  }

  async visit(url: string): Promise<void> {
    await this.page.goto(url);
    await this.page.waitForSelector("#device:not(:empty)", { ...WAIT, state: "attached" });
  }

  /** Wait until a view's status begins with a word, and give the whole. What goes wrong is said there too. */
  async status(view: View, ...beginnings: readonly string[]): Promise<string> {
    const line = this.page.locator(`#${view}-status`);
    await expect
      .poll(async () => `${await line.getAttribute("class")} ${await line.textContent()}`, WAIT)
      .toMatch(new RegExp(`wrong|^status (${beginnings.join("|")})`));
    return (await line.textContent())!;
  }

  /** Begin to write, greedily. */
  async begin(engine: EngineName, tokens: number): Promise<void> {
    const { page } = this;
    await page.fill("#watch-form [name=prompt]", PROMPT);
    await page.evaluate(() => {
      for (const details of document.querySelectorAll("details")) details.open = true;
    });
    await page.fill("[name=maxTokens]", `${tokens}`);
    await page.fill("[name=temperature]", "0");
    await page.selectOption("#watch-form [name=engine]", engine);
    await page.click("#watch-form [name=go]");
  }

  async write(engine: EngineName, tokens: number): Promise<string> {
    await this.begin(engine, tokens);
    return this.status("watch", "Done", "Stopped");
  }

  /** Begin to train both on a text. */
  async train(engine: EngineName, text: string, steps: number, size: "smallest" | "tiny" = "smallest"): Promise<void> {
    const { page } = this;
    await page.fill("#train-form [name=text]", text);
    await page.selectOption("#train-form [name=size]", size);
    await page.selectOption("#train-form [name=engine]", engine);
    await page.fill("#train-form [name=steps]", `${steps}`);
    await page.click("#train-form [name=go]");
  }

  /** Drop a file on the page. */
  async drop(name: string, type: string, text: string): Promise<void> {
    await this.page.evaluate(
      ({ name, type, text }) => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([text], name, { type }));
        document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
      },
      { name, type, text },
    );
  }

  /** Have the page be told that its tab went to the background, or came back. */
  async setHidden(isHidden: boolean): Promise<void> {
    await this.page.evaluate((hidden) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
      document.dispatchEvent(new Event("visibilitychange"));
    }, isHidden);
  }

  /** What axe-core finds on the page as it is, by one of its rules or by all. */
  async complaints(rule?: string): Promise<string[]> {
    await this.page.addScriptTag({ path: axe });
    return this.page.evaluate(async (rule) => {
      const { violations } = await (window as unknown as { axe: Axe }).axe.run(
        rule === undefined ? {} : { runOnly: rule },
      );
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
    }, rule);
  }
}
