import { count, digits } from "@finegrain/bench/format";
import type { RunName, TrainEvent } from "../../protocol.ts";
import { one } from "../dom.ts";

const MARKUP = (run: RunName): string => `
  <header><h2 id="learner-${run}">${run === "sparse" ? "Sparse" : "Dense"}</h2><p class="what"></p></header>
  <dl class="facts">
    <div><dt>Steps</dt><dd class="steps">–</dd></div>
    <div><dt>Speed</dt><dd class="speed">–</dd></div>
  </dl>
  <p class="text" tabindex="0" role="region" aria-label="What ${run} writes">It has written nothing yet.</p>
  <div class="actions"><button type="button" class="download" disabled>Download the run</button></div>`;

export interface LearnerOptions {
  onDownload(): void;
}

/** A model that learns: how far it is, how fast, and what it writes. */
export class LearnerPanel {
  readonly #root: HTMLElement;
  readonly #download: HTMLButtonElement;
  #steps = 0;

  constructor(root: HTMLElement, run: RunName, { onDownload }: LearnerOptions) {
    this.#root = root;
    root.className = `model ${run}`;
    root.setAttribute("aria-labelledby", `learner-${run}`);
    root.innerHTML = MARKUP(run);
    this.#download = one(root, ".download", HTMLButtonElement);
    this.#download.addEventListener("click", onDownload);
  }

  set canDownload(can: boolean) {
    this.#download.disabled = !can;
  }

  /** Show how far a run is that is kept. */
  show(step: number, steps: number): void {
    this.#steps = steps;
    this.#write(".steps", `${step} <small>of ${steps}</small>`);
  }

  hear(event: TrainEvent): void {
    switch (event.kind) {
      case "start":
        one(this.#root, ".what", HTMLElement).textContent = `${count(event.parameters)} weights, on ${event.backend}`;
        this.show(event.step, event.steps);
        break;
      case "step": {
        this.show(event.step, this.#steps);
        // In the background a browser slows the tab down: that speed would not be the device's.
        this.#write(".speed", document.hidden ? "–" : `${digits(event.tokensPerSecond)} <small>tokens/s</small>`);
        break;
      }
      case "sample":
        one(this.#root, ".text", HTMLElement).textContent = event.text;
        this.canDownload = true;
        break;
      case "evaluation":
        break;
    }
  }

  /** Only numbers and the markup of this file. */
  #write(selector: string, html: string): void {
    one(this.#root, selector, HTMLElement).innerHTML = html;
  }
}
