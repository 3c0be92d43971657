import type { Result } from "@finegrain/bench/method";
import type { Engine, MeasureEvent } from "../../protocol.ts";
import { ending, stopInBackground } from "../background.ts";
import { choices, field, one, say, sentenceOf } from "../dom.ts";
import type { Engines } from "../engines.ts";
import { WorkerClient } from "../worker-client.ts";
import { linesIn, linkOf } from "./link.ts";
import { resultTables } from "./results-table.ts";

/** The suites that fit a page, by name, which vite.config.ts puts here. */
declare const SUITES: Readonly<Record<string, { readonly title: string }>>;

/** The view that measures this device, and compares it with others. */
export class MeasureView {
  readonly #root: HTMLElement;
  readonly #form: HTMLFormElement;
  readonly #status: HTMLElement;
  readonly #progress: HTMLProgressElement;
  readonly #button: HTMLButtonElement;
  readonly #client = new WorkerClient();
  #measuring: AbortController | undefined;
  #results: readonly Result[] = [];

  constructor(root: HTMLElement, { choices: engines }: Engines) {
    this.#root = root;
    this.#form = one(root, "#measure-form", HTMLFormElement);
    this.#status = one(root, "#measure-status", HTMLElement);
    this.#progress = one(root, "#measure-progress", HTMLProgressElement);
    this.#button = field(this.#form, "go", HTMLButtonElement);
    choices(field(this.#form, "engine", HTMLSelectElement), engines);
    choices(
      field(this.#form, "suite", HTMLSelectElement),
      Object.entries(SUITES).map(([name, { title }]) => [name, title[0]!.toUpperCase() + title.slice(1)] as const),
    );
    this.#listen();
    this.#show();
    void this.openLink();
  }

  async drop({ files }: DataTransfer): Promise<void> {
    await this.#take([...files]);
  }

  leave(): void {
    this.#measuring?.abort();
  }

  #listen(): void {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#measuring) this.#measuring.abort();
      else void this.#measure();
    });
    const files = field(this.#form, "files", HTMLInputElement);
    files.addEventListener("change", () => void this.#take([...(files.files ?? [])]));
    this.#action("download").addEventListener("click", () => this.#download());
    this.#action("link").addEventListener("click", () => void this.#copyLink());
    this.#action("clear").addEventListener("click", () => {
      this.#results = [];
      this.#show();
    });
    stopInBackground(() => this.#measuring);
  }

  #action(name: "download" | "link" | "clear"): HTMLButtonElement {
    return one(this.#root, `#measure-${name}`, HTMLButtonElement);
  }

  async #measure(): Promise<void> {
    const stop = new AbortController();
    this.#measuring = stop;
    this.#button.textContent = "Stop";
    this.#progress.hidden = false;
    this.#progress.value = 0;
    say(this.#status, "Preparing.");
    try {
      const request = {
        suite: SUITES[field(this.#form, "suite", HTMLSelectElement).value],
        engine: { name: field(this.#form, "engine", HTMLSelectElement).value as Engine["name"] }, // one of its choices
        isQuick: field(this.#form, "length", HTMLSelectElement).value === "quick",
        device: field(this.#form, "device", HTMLInputElement).value.trim(),
      };
      await this.#client.run("measure", request, { signal: stop.signal, onEvent: (event) => this.#hear(event) });
      say(this.#status, `${ending(stop.signal)}.${stop.signal.aborted ? " Whole rounds are kept." : ""}`);
    } catch (error) {
      say(this.#status, sentenceOf(error), { isWrong: true });
    } finally {
      // What it measured with took memory.
      this.#client.end();
      this.#measuring = undefined;
      this.#button.textContent = "Measure";
      this.#progress.hidden = true;
    }
  }

  #hear(event: MeasureEvent): void {
    if (event.kind === "results") {
      this.#results = [...this.#results, ...event.results];
      this.#show();
      return;
    }
    say(this.#status, `${event.case}: ${event.activity}.`);
    this.#progress.value = event.done / event.of;
  }

  #show(): void {
    const box = one(this.#root, "#results", HTMLElement);
    const empty = Object.assign(document.createElement("p"), {
      className: "empty",
      textContent: "Results are shown here, those of this device and those that you drop on the page.",
    });
    box.replaceChildren(...(this.#results.length > 0 ? resultTables(this.#results) : [empty]));
    for (const name of ["download", "link", "clear"] as const) this.#action(name).disabled = this.#results.length === 0;
  }

  get #lines(): string {
    return this.#results.map((result) => `${JSON.stringify(result)}\n`).join("");
  }

  #download(): void {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([this.#lines], { type: "application/jsonl" }));
    link.download = "finegrain-results.jsonl";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  async #copyLink(): Promise<void> {
    history.replaceState(null, "", await linkOf(this.#lines));
    try {
      await navigator.clipboard.writeText(location.href); // a page that is not secure has no clipboard
      say(this.#status, "The link is in the clipboard, and in the address above.");
    } catch {
      say(this.#status, "The link is in the address above.");
    }
  }

  /** Show the results that the address has, where it has some. */
  async openLink(): Promise<void> {
    try {
      const lines = await linesIn(location.hash);
      if (lines !== undefined) await this.#read(lines, "the link");
    } catch {
      say(this.#status, "The link was cut: it holds no results.", { isWrong: true });
    }
  }

  async #take(files: readonly File[]): Promise<void> {
    try {
      for (const file of files) await this.#read(await file.text(), file.name);
    } catch (error) {
      say(this.#status, sentenceOf(error), { isWrong: true });
    }
  }

  /** @throws Error the sentence about a line that is no result. */
  async #read(text: string, name: string): Promise<void> {
    const client = new WorkerClient();
    try {
      this.#results = [...this.#results, ...(await client.run("readLines", { text, name }))];
      this.#show();
      say(this.#status, `Read the results in ${name}.`);
    } finally {
      client.end();
    }
  }
}
