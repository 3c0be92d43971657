import type { UnitLayout } from "../../protocol.ts";
import { cleared, colour, onFrame } from "../dom.ts";

/** A unit of a layer. */
export interface Unit {
  readonly layer: number;
  readonly unit: number;
}

/** Columns of a layer whose units are not in blocks. */
const CELLS = 16;
/** The part of its light that a unit keeps from one token to the next. */
const FADING = 0.72;
/** Between two layers, in units of the page. */
const GAP = 6;

interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

export interface UnitMapOptions {
  /** The person chose a unit. */
  onChoose(unit: Unit): void;
  /** The person moved to a unit by keys. */
  onMove(unit: Unit): void;
}

interface Grid {
  readonly columns: number;
  readonly rows: number;
}

/** Columns and rows of a layer. Where one unit of every block is on, a column is a block. */
export function gridOf({ units, on }: UnitLayout): Grid {
  const columns = on !== undefined && units % on === 0 ? on : Math.ceil(units / CELLS);
  return { columns, rows: Math.ceil(units / columns) };
}

/** The units of a model on a canvas: a band a layer, a column a block, a cell a unit. */
export class UnitMap {
  readonly #canvas: HTMLCanvasElement;
  readonly #options: UnitMapOptions;
  readonly #redraw = onFrame(() => this.#draw());
  #layout: UnitLayout = { layers: 4, units: 768, on: 48 };
  /** For every layer, the units that the last tokens turned on, the newest last; undefined where all are on. */
  #shown: readonly (Uint16Array | undefined)[] = [];
  #chosen: Unit | undefined;
  #cursor: Unit = { layer: 0, unit: 0 };
  /** Of the style sheet, until it is another: asking for them takes time. */
  #colours: { readonly accent: string; readonly off: string; readonly ink: string } | undefined;
  #whole: { readonly key: string; readonly canvas: HTMLCanvasElement } | undefined;

  constructor(canvas: HTMLCanvasElement, options: UnitMapOptions) {
    this.#canvas = canvas;
    this.#options = options;
    new ResizeObserver(this.#redraw).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.#colours = undefined;
      this.#redraw();
    });
    canvas.addEventListener("click", (event) => this.#click(event));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("focus", this.#redraw);
    canvas.addEventListener("blur", this.#redraw);
  }

  set layout(layout: UnitLayout) {
    this.#layout = layout;
    this.#cursor = { layer: 0, unit: 0 };
    this.#canvas.classList.toggle("pick", layout.on !== undefined);
    this.#redraw();
  }

  /** Show the units of these tokens, the newest last and brightest. */
  show(tokens: readonly (Uint16Array | undefined)[]): void {
    const isSame = tokens.length > 0 && this.#shown.length > 0 && [...tokens, ...this.#shown].every((units) => !units);
    this.#shown = tokens;
    if (!isSame) this.#redraw(); // where all units are on, they stay so
  }

  set chosen(unit: Unit | undefined) {
    this.#chosen = unit;
    this.#redraw();
  }

  get #grid(): Grid {
    return gridOf(this.#layout);
  }

  /** Where a unit is: its column is its block. */
  #place({ layer, unit }: Unit, width: number, height: number): Rectangle {
    const { columns, rows } = this.#grid;
    const { layers } = this.#layout;
    const band = (height - GAP * (layers - 1)) / layers;
    const [w, h] = [width / columns, band / rows];
    const [column, row] = [Math.floor(unit / rows), unit % rows];
    return { x: column * w, y: layer * (band + GAP) + row * h, w, h };
  }

  #at(x: number, y: number, width: number, height: number): Unit | undefined {
    const { columns, rows } = this.#grid;
    const { layers, units } = this.#layout;
    const band = (height - GAP * (layers - 1)) / layers;
    const layer = Math.floor(y / (band + GAP));
    const row = Math.floor(((y - layer * (band + GAP)) / band) * rows);
    const column = Math.floor((x / width) * columns);
    const unit = column * rows + row;
    const isThere = layer >= 0 && layer < layers && row >= 0 && row < rows && column >= 0 && unit < units;
    return isThere ? { layer, unit } : undefined;
  }

  #draw(): void {
    const { context, width, height } = cleared(this.#canvas);
    if (width === 0) return;
    const newest = this.#shown.at(-1);
    const isAllOn = this.#shown.length > 0 && newest === undefined;
    this.#colours ??= {
      accent: colour(this.#canvas, "--accent"),
      off: colour(this.#canvas, "--off"),
      ink: colour(this.#canvas, "--ink"),
    };
    const { accent, off, ink } = this.#colours;
    const { layers } = this.#layout;
    context.drawImage(this.#wholeMap(isAllOn ? accent : off), 0, 0, width, height);
    for (const [i, chosen] of this.#shown.entries()) {
      if (chosen === undefined) continue;
      const on = chosen.length / layers;
      context.globalAlpha = FADING ** (this.#shown.length - 1 - i);
      context.fillStyle = accent;
      context.beginPath();
      for (const [k, unit] of chosen.entries()) this.#cell(context, { layer: Math.floor(k / on), unit }, width, height);
      context.fill();
    }
    context.globalAlpha = 1;
    if (this.#chosen) this.#outline(context, this.#place(this.#chosen, width, height), ink, 2);
    if (this.#canvas.matches(":focus-visible"))
      this.#outline(context, this.#place(this.#cursor, width, height), ink, 1);
  }

  #cell(context: CanvasRenderingContext2D, unit: Unit, width: number, height: number): void {
    const { x, y, w, h } = this.#place(unit, width, height);
    context.rect(x, y, w - Math.min(1, w / 4), h - Math.min(1, h / 4));
  }

  /** All units in one colour. It is drawn once for a size, since thousands of cells take a frame. */
  #wholeMap(style: string): HTMLCanvasElement {
    const { width, height, clientWidth, clientHeight } = this.#canvas;
    const { layers, units } = this.#layout;
    const key = JSON.stringify([style, width, height, layers, units, this.#grid]);
    if (this.#whole?.key === key) return this.#whole.canvas;
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d")!; // the only kind that is asked of it
    context.scale(width / clientWidth, height / clientHeight);
    context.fillStyle = style;
    context.beginPath();
    for (let layer = 0; layer < layers; layer++)
      for (let unit = 0; unit < units; unit++) this.#cell(context, { layer, unit }, clientWidth, clientHeight);
    context.fill();
    this.#whole = { key, canvas };
    return canvas;
  }

  #outline(context: CanvasRenderingContext2D, { x, y, w, h }: Rectangle, style: string, thickness: number): void {
    context.strokeStyle = style;
    context.lineWidth = thickness;
    context.strokeRect(x - thickness, y - thickness, w + thickness, h + thickness);
  }

  #click({ offsetX, offsetY }: MouseEvent): void {
    const { clientWidth, clientHeight } = this.#canvas;
    const unit = this.#at(offsetX, offsetY, clientWidth, clientHeight);
    if (unit) this.#choose(unit);
  }

  #choose(unit: Unit): void {
    this.#cursor = unit;
    this.#options.onChoose(unit);
  }

  #key(event: KeyboardEvent): void {
    const { rows } = this.#grid;
    const { layers, units } = this.#layout;
    const { layer, unit } = this.#cursor;
    const moved: Readonly<Record<string, Unit>> = {
      ArrowLeft: { layer, unit: unit - rows },
      ArrowRight: { layer, unit: unit + rows },
      ArrowUp: unit % rows > 0 ? { layer, unit: unit - 1 } : { layer: layer - 1, unit: unit + rows - 1 },
      ArrowDown: unit % rows < rows - 1 ? { layer, unit: unit + 1 } : { layer: layer + 1, unit: unit - rows + 1 },
    };
    const next = moved[event.key];
    if (event.key === "Enter" || event.key === " ") this.#choose(this.#cursor);
    else if (next === undefined) return;
    else {
      if (next.layer >= 0 && next.layer < layers && next.unit >= 0 && next.unit < units) this.#cursor = next;
      this.#options.onMove(this.#cursor);
    }
    event.preventDefault();
    this.#redraw();
  }
}
