import { bytes, count, digits, percent } from "@finegrain/bench/format";
import type { OpenedModel, Wrote } from "../../protocol.ts";
import { one, onFrame } from "../dom.ts";
import { gridOf, type Unit, UnitMap } from "./unit-map.ts";

/** The last tokens whose units glow while a model writes. */
const GLOWING = 6;

const MARKUP = (place: number, title: string): string => `
  <header><h2 id="name-${place}">${title}</h2><p class="what"></p></header>
  <dl class="facts">
    <div><dt>Speed</dt><dd class="speed">–</dd></div>
    <div><dt>Read for a token</dt><dd><span class="read">–</span><span class="meter"><i></i></span></dd></div>
  </dl>
  <p class="text" tabindex="0" role="region" aria-labelledby="name-${place}"></p>
  <canvas class="units" tabindex="0" role="application" aria-labelledby="name-${place} units-${place}"></canvas>
  <p class="said" id="units-${place}"></p>
  <p class="heard" role="status"></p>
  <label class="walk"><span>Token</span><input type="range" min="0" max="0" value="0" disabled /></label>`;

/** A model that writes: its figures, its text, and its units. */
export class ModelPanel {
  readonly #root: HTMLElement;
  readonly #text: HTMLElement;
  readonly #said: HTMLElement;
  /** What screen readers say when keys move over the units; not seen, since the line before it shows what is chosen. */
  readonly #heard: HTMLElement;
  readonly #walk: HTMLInputElement;
  readonly #map: UnitMap;
  readonly #showNow = onFrame(() => this.#show());
  #model: OpenedModel | undefined;
  /** For each token, its text and the units that it turned on; undefined where all are on. */
  #tokens: { readonly text: string; readonly units: Uint16Array | undefined }[] = [];
  /** The token that is pointed at. */
  #at: number | undefined;
  #unit: Unit | undefined;

  /** @param title what it is called until a model is opened. */
  constructor(root: HTMLElement, place: number, title: string) {
    this.#root = root;
    root.innerHTML = MARKUP(place, title);
    this.#text = one(root, ".text", HTMLElement);
    this.#said = one(root, ".said", HTMLElement);
    this.#heard = one(root, ".heard", HTMLElement);
    this.#walk = one(root, ".walk input", HTMLInputElement);
    this.#map = new UnitMap(one(root, ".units", HTMLCanvasElement), {
      onChoose: (unit) => this.#choose(unit),
      onMove: (unit) => this.#hear(unit),
    });
    this.#text.addEventListener("pointerover", ({ target }) => {
      if (target instanceof HTMLElement && target.dataset.at) this.#point(Number(target.dataset.at));
    });
    this.#text.addEventListener("pointerleave", () => this.#point(undefined));
    this.#walk.addEventListener("input", () => this.#point(this.#walk.valueAsNumber));
    this.#walk.addEventListener("blur", () => this.#point(undefined));
  }

  get root(): HTMLElement {
    return this.#root;
  }

  /** Show a model before it writes. @param most the bytes of the model beside it that reads most. */
  open(model: OpenedModel, most: number): void {
    this.#model = model;
    this.#map.layout = model.units;
    this.clear();
    const { name, parameters, bitsPerByte, bytesPerToken } = model;
    one(this.#root, "h2", HTMLElement).textContent = name;
    const judged = bitsPerByte === undefined ? "" : `, ${digits(bitsPerByte)} bits a byte`;
    one(this.#root, ".what", HTMLElement).textContent = `${count(parameters)} weights${judged}`;
    const part = bytesPerToken / most;
    const share = part < 1 ? ` <small>${percent(part)} of dense</small>` : "";
    one(this.#root, ".read", HTMLElement).innerHTML = `${bytes(bytesPerToken)}${share}`;
    one(this.#root, ".meter i", HTMLElement).style.width = `${100 * part}%`;
  }

  clear(): void {
    this.#tokens = [];
    this.#at = undefined;
    this.#unit = undefined;
    this.#map.chosen = undefined;
    this.#heard.textContent = "";
    this.#text.replaceChildren();
    this.#walk.disabled = true;
    one(this.#root, ".speed", HTMLElement).textContent = "–";
    this.#showNow();
  }

  add({ tokens, units, written, seconds }: Wrote): void {
    const each = units.length / tokens.length;
    const spans = tokens.map(({ text, isPrompt }, i) => {
      const span = document.createElement("span");
      span.textContent = text;
      span.dataset.at = `${this.#tokens.length}`;
      if (isPrompt) span.className = "prompt";
      this.#tokens.push({ text, units: units.length === 0 ? undefined : units.subarray(i * each, (i + 1) * each) });
      return span;
    });
    const isAtEnd = this.#text.scrollTop + this.#text.clientHeight >= this.#text.scrollHeight - 24;
    this.#text.append(...spans);
    if (isAtEnd) this.#text.scrollTop = this.#text.scrollHeight;
    if (written > 0 && seconds > 0)
      one(this.#root, ".speed", HTMLElement).innerHTML = `${digits(written / seconds)} <small>tokens/s</small>`;
    this.#walk.max = `${this.#tokens.length - 1}`;
    this.#walk.disabled = false;
    if (this.#at === undefined) this.#walk.value = this.#walk.max;
    this.#showNow();
  }

  #point(at: number | undefined): void {
    this.#at = at;
    if (at !== undefined) this.#walk.value = `${at}`;
    this.#showNow();
  }

  #choose(unit: Unit): void {
    if (this.#model?.units.on === undefined) return;
    const isSame = this.#unit?.layer === unit.layer && this.#unit.unit === unit.unit;
    this.#unit = isSame ? undefined : unit;
    this.#map.chosen = this.#unit;
    this.#heard.textContent = isSame ? "No unit is chosen." : this.#sentenceOf(unit);
    this.#showNow();
  }

  #hear(unit: Unit): void {
    if (this.#model) this.#heard.textContent = this.#sentenceOf(unit);
  }

  #show(): void {
    const at = this.#at;
    const shown = at === undefined ? this.#tokens.slice(-GLOWING) : this.#tokens.slice(at, at + 1);
    this.#map.show(shown.map(({ units }) => units));
    this.#mark("at", at === undefined ? [] : [at]);
    this.#mark("fires", this.#unit ? this.#placesOf(this.#unit) : []);
    const sentence = this.#unit ? this.#sentenceOf(this.#unit) : this.#sentence();
    if (this.#said.textContent !== sentence) this.#said.textContent = sentence;
    this.#walk.setAttribute("aria-valuetext", this.#sentence(this.#tokens[this.#walk.valueAsNumber]));
  }

  /** Have these tokens, and no others, the look of a class. */
  #mark(name: "at" | "fires", places: readonly number[]): void {
    const wanted = new Set(places.map((place) => this.#text.children[place]));
    for (const span of [...this.#text.getElementsByClassName(name)]) if (!wanted.has(span)) span.classList.remove(name);
    for (const span of wanted) span?.classList.add(name);
  }

  /** The places of the tokens that turn a unit on. */
  #placesOf(unit: Unit): number[] {
    return this.#tokens.flatMap(({ units }, i) => (this.#isOn(units, unit) ? [i] : []));
  }

  #isOn(units: Uint16Array | undefined, { layer, unit }: Unit): boolean {
    if (units === undefined) return false;
    const on = units.length / this.#model!.units.layers; // tokens have units of an open model
    return units.subarray(layer * on, (layer + 1) * on).includes(unit);
  }

  /** How often a unit of an open model is on, and for which tokens. */
  #sentenceOf(unit: Unit): string {
    const { units: layout } = this.#model!;
    const { rows } = gridOf(layout);
    const where = `Layer ${unit.layer + 1}, unit ${unit.unit + 1}`;
    if (layout.on === undefined) return `${where} is on for every token, as all units of a dense layer are.`;
    const texts = this.#placesOf(unit).map((i) => this.#tokens[i]!.text); // places of tokens
    const which = texts.length > 0 ? `: ${mostOf(texts)}` : "";
    return `${where}, in block ${Math.floor(unit.unit / rows) + 1}, is on for ${texts.length} of ${this.#tokens.length} tokens${which}.`;
  }

  /** How many units a token turns on. Without one: that which is pointed at, or every one. */
  #sentence(token = this.#at === undefined ? undefined : this.#tokens[this.#at]): string {
    if (!this.#model) return "";
    const { layers, units, on } = this.#model.units;
    const who = token ? `“${visible(token.text)}” turns on` : "Every token turns on";
    return on === undefined
      ? `${who} all ${units} units in each of ${layers} layers.`
      : `${who} ${on} of ${units} units in each of ${layers} layers.`;
  }
}

/** The texts that are there most often, with how often. */
function mostOf(texts: readonly string[]): string {
  const times = new Map<string, number>();
  for (const text of texts) times.set(text, (times.get(text) ?? 0) + 1);
  const most = [...times].sort(([, a], [, b]) => b - a).slice(0, 8);
  return most.map(([text, n]) => `“${visible(text)}” ${n}×`).join(", ");
}

const visible = (text: string): string => text.replaceAll(" ", "␣").replaceAll("\n", "⏎");
