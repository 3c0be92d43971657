import { digits, whole } from "@finegrain/bench/format";
import { type Engine, type NewRun, RUNS, type RunName, type TrainEvent } from "../../protocol.ts";
import { choices, field, numberIn, one, say, sentenceOf } from "../dom.ts";
import type { Engines } from "../engines.ts";
import { isKept } from "../storage.ts";
import { WorkerClient } from "../worker-client.ts";
import { Curves, type Line } from "./curves.ts";
import { LearnerPanel } from "./learner-panel.ts";
import { BLOCK_SIZES, SIZES } from "./sizes.ts";

/** Evaluations of a training. */
const EVALUATIONS = 10;
/** Steps between two of them, at least: each takes as long as a few. */
const LEAST_STEPS = 5;
const BITS = 1 / Math.log(2);
const SEED = 0;
/** The latest speeches, which are taken: about 1.2 MB. */
const SPEECHES = 30;
/** Characters that the text's field shows of a text that was taken. */
const SHOWN = 2000;

/** One of the two models that learn, with a worker of its own, so that they learn at the same time. */
interface Learner {
  readonly run: RunName;
  readonly client: WorkerClient;
  readonly panel: LearnerPanel;
  readonly loss: Line;
  readonly held: Line;
}

/** The view in which a sparse and a dense model learn from a text. */
export class TrainView {
  readonly #form: HTMLFormElement;
  readonly #status: HTMLElement;
  readonly #learners: readonly Learner[];
  readonly #loss: Curves;
  readonly #held: Curves;
  readonly #lossSaid: HTMLElement;
  readonly #heldSaid: HTMLElement;
  readonly #threads: number;
  /** Whether the browser keeps runs. Where it does not, each is in the memory of its learner's worker, which stays then. */
  readonly #keeps: boolean;
  #training: AbortController | undefined;
  /** A text that is not in its field as a whole. */
  #taken: string | undefined;

  constructor(root: HTMLElement, engines: Engines) {
    this.#form = one(root, "#train-form", HTMLFormElement);
    this.#status = one(root, "#train-status", HTMLElement);
    this.#lossSaid = one(root, "#loss-said", HTMLElement);
    this.#heldSaid = one(root, "#held-said", HTMLElement);
    this.#threads = Math.max(1, Math.floor(engines.threads / RUNS.length));
    this.#keeps = engines.keepsFiles;
    const panels = one(root, "#learners", HTMLElement);
    this.#learners = RUNS.map((run) => {
      const client = new WorkerClient();
      const panel = new LearnerPanel(panels.appendChild(document.createElement("article")), run, {
        onDownload: () => void this.#download(run, this.#keeps ? new WorkerClient() : client),
      });
      const line = (isNoisy: boolean): Line => ({ colour: `--${run}`, points: [], isNoisy });
      return { run, client, panel, loss: line(true), held: line(false) };
    });
    this.#loss = new Curves(
      one(root, "#loss", HTMLCanvasElement),
      this.#learners.map(({ loss }) => loss),
    );
    this.#held = new Curves(
      one(root, "#held", HTMLCanvasElement),
      this.#learners.map(({ held }) => held),
    );
    this.#fillChoices(engines);
    this.#listen();
    void this.#findKept();
  }

  /** Take a file that was dropped on the page as the text. */
  async drop({ files }: DataTransfer): Promise<void> {
    if (files[0]) await this.#take(files[0]);
  }

  #fillChoices({ choices: engines }: Engines): void {
    choices(field(this.#form, "engine", HTMLSelectElement), engines);
    choices(
      field(this.#form, "size", HTMLSelectElement),
      Object.entries(SIZES).map(([name, { title }]) => [name, title] as const),
    );
    field(this.#form, "size", HTMLSelectElement).value = "small";
    choices(
      field(this.#form, "feedForward", HTMLSelectElement),
      BLOCK_SIZES.map((size) => [`${size}`, `1 unit in ${size} is on`] as const),
    );
  }

  #listen(): void {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#train(this.#newRun());
    });
    this.#button("pause").addEventListener("click", () => {
      this.#training?.abort();
      say(this.#status, "Pausing: both keep what they learned.");
    });
    this.#button("resume").addEventListener("click", () => void this.#train(undefined));
    this.#button("speeches").addEventListener("click", () => void this.#takeSpeeches());
    field(this.#form, "text", HTMLTextAreaElement).addEventListener("input", () => {
      this.#taken = undefined;
    });
    const file = field(this.#form, "file", HTMLInputElement);
    file.addEventListener("change", () => {
      if (file.files?.[0]) void this.#take(file.files[0]);
    });
  }

  #button(name: "go" | "pause" | "resume" | "speeches"): HTMLButtonElement {
    return field(this.#form, name, HTMLButtonElement);
  }

  async #take(file: File): Promise<void> {
    const text = await file.text();
    if (text.includes("\0"))
      say(this.#status, `${file.name} is no text: drop one in UTF-8, of a few kilobytes at least.`, { isWrong: true });
    else this.#show(file.name, text);
  }

  async #takeSpeeches(): Promise<void> {
    const client = new WorkerClient();
    try {
      say(this.#status, "Fetching the speeches.");
      this.#show(`The last ${SPEECHES} State of the Union addresses`, await client.run("speeches", SPEECHES));
    } catch (error) {
      say(this.#status, sentenceOf(error), { isWrong: true });
    } finally {
      client.end();
    }
  }

  /** Take a text. Only its beginning is shown: a text field with megabytes would hold the page. */
  #show(name: string, text: string): void {
    this.#taken = text;
    const area = field(this.#form, "text", HTMLTextAreaElement);
    area.value = text.length > SHOWN ? `${text.slice(0, SHOWN)}\n…` : text;
    say(this.#status, `${name}: ${whole(text.length)} characters. Typing in the field takes what is in it instead.`);
  }

  /** What the form asks for, of the sparse run. */
  #newRun(): NewRun {
    const { model, training } = SIZES[field(this.#form, "size", HTMLSelectElement).value]!; // one of its choices
    const steps = numberIn(this.#form, "steps");
    const blockSize = Number(field(this.#form, "feedForward", HTMLSelectElement).value);
    const evaluateEvery = Math.max(LEAST_STEPS, Math.ceil(steps / EVALUATIONS));
    return {
      text: this.#taken ?? field(this.#form, "text", HTMLTextAreaElement).value,
      model: {
        ...model,
        maxLength: training.length,
        positions: "rotary",
        loss: { type: "tied" },
        feedForward: { type: "sparse", blockSize },
      },
      asDense: true,
      training: { ...training, steps, seed: SEED, evaluateEvery },
    };
  }

  /** Train both from the start, or go on with what is kept. */
  async #train(begin: NewRun | undefined): Promise<void> {
    const stop = new AbortController();
    this.#training = stop;
    this.#enable({ isTraining: true, isKept: false });
    if (begin) for (const { loss, held } of this.#learners) loss.points.length = held.points.length = 0;
    say(this.#status, "Preparing the models.");
    try {
      const ended = await Promise.all(this.#learners.map((learner) => this.#learn(learner, begin, stop.signal)));
      const isWhole = ended.every(Boolean);
      say(
        this.#status,
        isWhole
          ? "Both have learned. You can download them, or watch them write."
          : `Paused. Resume goes on where they were${this.#keeps ? ", also after a reload" : ""}.`,
      );
      this.#enable({ isTraining: false, isKept: !isWhole });
    } catch (error) {
      // What the browser keeps is whole, whatever happened to a device or a worker: it can be gone on with.
      for (const { client } of this.#learners) client.end("the other model failed");
      say(this.#status, sentenceOf(error), { isWrong: true });
      this.#enable({ isTraining: false, isKept: this.#keeps });
    } finally {
      this.#training = undefined;
    }
  }

  /** @returns whether it has done all of its steps. */
  async #learn(learner: Learner, begin: NewRun | undefined, signal: AbortSignal): Promise<boolean> {
    const { run, client } = learner;
    const name = field(this.#form, "engine", HTMLSelectElement).value as Engine["name"]; // one of its choices
    const { feedForward, ...dense } = begin?.model ?? {};
    const own = begin && (run === "dense" ? { ...begin, model: dense as NewRun["model"], asDense: false } : begin);
    const kept = begin ? undefined : await client.run("kept", run);
    if (kept && kept.step >= kept.steps) {
      this.#release(client);
      return true;
    }
    const input = { run, engine: { name, threads: this.#threads }, ...(own && { begin: own }) };
    const { isWhole } = await client.run("train", input, { signal, onEvent: (event) => this.#hear(learner, event) });
    this.#release(client);
    return isWhole;
  }

  /** End a worker that has done its work, unless what it did is nowhere else. */
  #release(client: WorkerClient): void {
    if (this.#keeps) client.end();
  }

  #hear({ panel, loss, held }: Learner, event: TrainEvent): void {
    panel.hear(event);
    if (event.kind === "start") {
      this.#loss.steps = this.#held.steps = event.steps;
      say(this.#status, "Training. You can leave this tab: it goes on in the background.");
    }
    if (event.kind === "step") {
      // What was learned after the last checkpoint is learned again.
      while (loss.points.at(-1) && loss.points.at(-1)!.x >= event.step) loss.points.pop();
      loss.points.push({ x: event.step, y: event.loss * BITS });
      this.#loss.redraw();
    }
    if (event.kind === "evaluation") {
      held.points.push({ x: event.step, y: event.bitsPerByte });
      this.#held.redraw();
      this.#sayCurves();
    }
  }

  /** The curves in words. */
  #sayCurves(): void {
    const last = (line: (learner: Learner) => Line) =>
      this.#learners
        .flatMap((learner) => {
          const point = line(learner).points.at(-1);
          return point ? [`${learner.run} ${digits(point.y)} after ${point.x} steps`] : [];
        })
        .join(", ");
    this.#lossSaid.textContent = last(({ loss }) => loss) || "There is no training yet.";
    this.#heldSaid.textContent = last(({ held }) => held) || "There is no evaluation yet.";
  }

  /** Show what an earlier visit left. Where it left nothing no worker is asked, so that nothing is loaded for it. */
  async #findKept(): Promise<void> {
    const kept = await Promise.all(
      this.#learners.map(async ({ run, panel, loss, held }) => {
        // A worker of its own: the learner's may be asked to train meanwhile.
        const client = new WorkerClient();
        const found = (await isKept(run)) ? await client.run("kept", run).catch(() => undefined) : undefined;
        client.end();
        if (found === undefined || this.#training) return undefined;
        panel.show(found.step, found.steps);
        panel.canDownload = true;
        for (const { step, loss: nats, heldOutBitsPerByte: bits } of found.records) {
          if (nats !== undefined) loss.points.push({ x: step, y: nats * BITS });
          if (bits !== undefined) held.points.push({ x: step, y: bits });
        }
        this.#loss.steps = this.#held.steps = found.steps;
        return found;
      }),
    );
    if (this.#training || kept.every((run) => run === undefined)) return;
    this.#loss.redraw();
    this.#held.redraw();
    this.#sayCurves();
    const canGoOn = kept.some((run) => run !== undefined && run.step < run.steps);
    this.#enable({ isTraining: false, isKept: canGoOn });
    say(
      this.#status,
      canGoOn ? "A training of before is kept here: resume it, or begin anew." : "A training of before is kept here.",
    );
  }

  #enable({ isTraining, isKept }: { readonly isTraining: boolean; readonly isKept: boolean }): void {
    this.#button("go").disabled = isTraining;
    this.#button("pause").disabled = !isTraining;
    this.#button("resume").disabled = isTraining || !isKept;
  }

  async #download(run: RunName, client: WorkerClient): Promise<void> {
    try {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await client.run("pack", run));
      link.download = `${run}.zip`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      say(this.#status, `Unpack ${run}.zip and let it write: finegrain generate ${run}`);
    } catch (error) {
      say(this.#status, sentenceOf(error), { isWrong: true });
    } finally {
      this.#release(client);
    }
  }
}
