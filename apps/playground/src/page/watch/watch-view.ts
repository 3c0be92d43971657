import type { Engine, ModelSource, OpenedModel } from "../../protocol.ts";
import { ending, stopInBackground } from "../background.ts";
import { choices, field, numberIn, one, say, sentenceOf } from "../dom.ts";
import type { Engines } from "../engines.ts";
import { WorkerClient } from "../worker-client.ts";
import { droppedFiles } from "./dropped-files.ts";
import { ModelPanel } from "./model-panel.ts";

const folderOf = (name: string): string => new URL(`models/${name}`, document.baseURI).href;

/** Models that can be watched together, by what the person chooses. */
const SETS: Readonly<Record<string, { readonly title: string; readonly models: readonly ModelSource[] }>> = {
  pair: {
    title: "The pair of this page",
    models: [
      { kind: "folder", name: "Sparse", url: folderOf("sparse") },
      { kind: "folder", name: "Dense", url: folderOf("dense") },
    ],
  },
  trained: {
    title: "The pair that you trained",
    models: [
      { kind: "trained", name: "sparse" },
      { kind: "trained", name: "dense" },
    ],
  },
};

/** The view in which models write. */
export class WatchView {
  readonly #form: HTMLFormElement;
  readonly #status: HTMLElement;
  readonly #sets: HTMLSelectElement;
  readonly #button: HTMLButtonElement;
  readonly #panels: readonly ModelPanel[];
  readonly #client = new WorkerClient();
  #dropped: ModelSource | undefined;
  /** What is open, by the choice that it was opened for. */
  #open: { readonly key: string; readonly models: readonly OpenedModel[] } | undefined;
  #writing: AbortController | undefined;

  constructor(root: HTMLElement, { choices: engines }: Engines) {
    this.#form = one(root, "#watch-form", HTMLFormElement);
    this.#status = one(root, "#watch-status", HTMLElement);
    this.#button = field(this.#form, "go", HTMLButtonElement);
    this.#sets = field(this.#form, "models", HTMLSelectElement);
    this.#panels = [...root.querySelectorAll<HTMLElement>("#race .model")].map(
      (panel, i) => new ModelPanel(panel, i, SETS.pair!.models[i]!.name), // there is a panel for each of the pair
    );
    choices(field(this.#form, "engine", HTMLSelectElement), engines);
    this.#listSets();
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#writing) this.#writing.abort();
      else void this.#write();
    });
    stopInBackground(() => this.#writing);
    const input = one(root, "#watch-drop input", HTMLInputElement);
    input.addEventListener("change", () =>
      this.take([...(input.files ?? [])].map((file) => ({ path: file.name, file }))),
    );
  }

  /** Take what was dropped on the page as the model to watch. */
  async drop(transfer: DataTransfer): Promise<void> {
    this.take(await droppedFiles(transfer));
  }

  take(files: Extract<ModelSource, { kind: "files" }>["files"]): void {
    const [first] = files;
    if (first === undefined) return;
    this.#dropped = { kind: "files", name: first.path.split("/")[0]!, files };
    this.#open = undefined;
    this.#listSets();
    this.#sets.value = "dropped";
    say(this.#status, `${this.#dropped.name} is ready: let it write.`);
  }

  /** Give back what the view holds of memory and devices. */
  leave(): void {
    this.#writing?.abort();
    this.#client.end("the view was left");
    this.#open = undefined;
  }

  #listSets(): void {
    const sets = Object.entries(SETS).map(([name, { title }]) => [name, title] as const);
    choices(this.#sets, [...sets, ...(this.#dropped ? [["dropped", this.#dropped.name] as const] : [])]);
  }

  async #write(): Promise<void> {
    const stop = new AbortController();
    this.#writing = stop;
    this.#button.textContent = "Stop";
    try {
      const models = await this.#opened();
      if (stop.signal.aborted) {
        say(this.#status, "Stopped.");
        return;
      }
      for (const panel of this.#panels) panel.clear();
      say(this.#status, `Writing on ${models[0]!.backend}.`);
      const request = {
        models: models.map((_, place) => place),
        prompt: field(this.#form, "prompt", HTMLInputElement).value,
        maxTokens: numberIn(this.#form, "maxTokens"),
        temperature: numberIn(this.#form, "temperature"),
        seed: numberIn(this.#form, "seed"),
      };
      const onEvent = (event: Parameters<ModelPanel["add"]>[0]) => this.#panels[event.model]!.add(event);
      await this.#client.run("write", request, { onEvent, signal: stop.signal });
      say(this.#status, `${ending(stop.signal)}, on ${models[0]!.backend}.`);
    } catch (error) {
      // A device may be lost, or a worker out of memory: the next one begins anew.
      this.#client.end();
      this.#open = undefined;
      if (stop.signal.aborted) say(this.#status, "Stopped.");
      else say(this.#status, sentenceOf(error), { isWrong: true });
    } finally {
      this.#writing = undefined;
      this.#button.textContent = "Write";
    }
  }

  async #opened(): Promise<readonly OpenedModel[]> {
    const name = field(this.#form, "engine", HTMLSelectElement).value as Engine["name"]; // one of its choices
    const set = this.#sets.value;
    const sources = set === "dropped" ? [this.#dropped!] : SETS[set]!.models;
    const key = `${set} on ${name}`;
    if (this.#open?.key === key && set !== "trained") return this.#open.models;
    say(this.#status, "Opening the models.");
    const models = await this.#client.run("open", { models: sources, engine: { name } });
    const most = Math.max(...models.map(({ bytesPerToken }) => bytesPerToken));
    for (const [i, panel] of this.#panels.entries()) {
      panel.root.hidden = models[i] === undefined;
      if (models[i]) panel.open(models[i], most);
    }
    this.#open = { key, models };
    return models;
  }
}
