import { cleared, colour, onFrame } from "../dom.ts";

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A line of a plot, in a colour of the style sheet. */
export interface Line {
  readonly colour: string;
  readonly points: Point[];
  /** Whether a moving average is drawn over the points, which are noisy. */
  readonly isNoisy: boolean;
}

/** The part that a point leaves of the average before it. */
const SMOOTHING = 0.8;
const MARGIN = { left: 38, right: 10, top: 8, bottom: 24 };

/** Lines over steps, on a canvas. */
export class Curves {
  readonly #canvas: HTMLCanvasElement;
  readonly #lines: readonly Line[];
  readonly redraw = onFrame(() => this.#draw());
  /** Steps that the axis has room for. */
  steps = 100;

  constructor(canvas: HTMLCanvasElement, lines: readonly Line[]) {
    this.#canvas = canvas;
    this.#lines = lines;
    new ResizeObserver(this.redraw).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", this.redraw);
  }

  #draw(): void {
    const { context, width, height } = cleared(this.#canvas);
    if (width === 0) return;
    const values = this.#lines.flatMap(({ points }) => points.map(({ y }) => y));
    const [low, high] = bounds(values);
    const x = (step: number) => MARGIN.left + (step / this.steps) * (width - MARGIN.left - MARGIN.right);
    const y = (value: number) => MARGIN.top + ((high - value) / (high - low)) * (height - MARGIN.top - MARGIN.bottom);
    context.font = `12px ${getComputedStyle(this.#canvas).fontFamily}`;
    context.fillStyle = colour(this.#canvas, "--soft");
    context.strokeStyle = colour(this.#canvas, "--line");
    context.lineWidth = 1;
    context.textBaseline = "middle";
    for (const tick of ticks(low, high)) {
      const at = Math.round(y(tick)) + 0.5;
      context.beginPath();
      context.moveTo(MARGIN.left, at);
      context.lineTo(width - MARGIN.right, at);
      context.stroke();
      context.textAlign = "right";
      context.fillText(`${tick}`, MARGIN.left - 8, at);
    }
    for (const step of [0, this.steps / 2, this.steps]) {
      context.textAlign = step === 0 ? "left" : step === this.steps ? "right" : "center";
      context.fillText(`${Math.round(step)}${step === 0 ? " steps" : ""}`, x(step), height - 8);
    }
    for (const line of this.#lines) this.#line(context, line, x, y);
  }

  #line(
    context: CanvasRenderingContext2D,
    { colour: name, points, isNoisy }: Line,
    x: (step: number) => number,
    y: (value: number) => number,
  ): void {
    const stroke = (drawn: readonly Point[], alpha: number, thickness: number) => {
      context.globalAlpha = alpha;
      context.lineWidth = thickness;
      context.beginPath();
      for (const point of drawn) context.lineTo(x(point.x), y(point.y));
      context.stroke();
      context.globalAlpha = 1;
    };
    context.lineJoin = "round";
    context.strokeStyle = colour(this.#canvas, name);
    context.fillStyle = context.strokeStyle;
    stroke(points, isNoisy ? 0.3 : 1, isNoisy ? 1 : 2);
    if (isNoisy) stroke(smoothed(points), 1, 2);
    else
      for (const point of points) {
        context.beginPath();
        context.arc(x(point.x), y(point.y), 3.5, 0, 2 * Math.PI);
        context.fill();
      }
  }
}

/** An average that forgets, corrected for its beginning. */
function smoothed(points: readonly Point[]): Point[] {
  let sum = 0;
  let weight = 0;
  return points.map(({ x, y }) => {
    sum = SMOOTHING * sum + (1 - SMOOTHING) * y;
    weight = SMOOTHING * weight + (1 - SMOOTHING);
    return { x, y: sum / weight };
  });
}

function bounds(values: readonly number[]): [low: number, high: number] {
  if (values.length === 0) return [0, 8];
  const [least, most] = values.reduce(
    ([a, b], value) => [Math.min(a, value), Math.max(b, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
  const room = Math.max(0.1, (most - least) * 0.06);
  return [Math.max(0, least - room), most + room];
}

/** A few round numbers between two. */
function ticks(low: number, high: number): number[] {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough)!; // 10 powers are more than any rough step
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, k) => Number(((first + k) * step).toFixed(3)));
}
