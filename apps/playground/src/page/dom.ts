/// <reference lib="dom" />
/// <reference lib="dom.iterable" />

/** The one element of a kind that a selector finds: the page's own markup has it. */
export function one<E extends Element>(root: ParentNode, selector: string, kind: new () => E): E {
  const found = root.querySelector(selector);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${kind.name} "${selector}"`);
}

/** A field of a form, wherever the form's fields are. */
export function field<E extends Element>(form: HTMLFormElement, name: string, kind: new () => E): E {
  const found = form.elements.namedItem(name);
  if (found instanceof kind) return found;
  throw new Error(`the form ${form.id} has no ${kind.name} "${name}"`);
}

/** What a number field says, within its bounds; its default where it says nothing. */
export function numberIn(form: HTMLFormElement, name: string): number {
  const { valueAsNumber, defaultValue, min, max } = field(form, name, HTMLInputElement);
  const value = Number.isFinite(valueAsNumber) ? valueAsNumber : Number(defaultValue);
  return Math.min(max === "" ? Number.POSITIVE_INFINITY : Number(max), Math.max(Number(min), value));
}

/** Fill a select with choices: their values and what is shown of them. */
export function choices(select: HTMLSelectElement, entries: readonly (readonly [value: string, text: string])[]): void {
  const before = select.value;
  select.replaceChildren(...entries.map(([value, text]) => new Option(text, value)));
  if (entries.some(([value]) => value === before)) select.value = before;
}

/** A line that says what is going on. Screen readers hear it. */
export function say(line: HTMLElement, text: string, { isWrong = false } = {}): void {
  line.textContent = text;
  line.classList.toggle("wrong", isWrong);
}

/** Call `draw` once before the next frame, however often it is asked for; a page in the background draws when it is seen again. */
export function onFrame(draw: () => void): () => void {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}

/** A canvas's context in units of the page, sharp on any screen, and cleared. */
export function cleared(canvas: HTMLCanvasElement): {
  context: CanvasRenderingContext2D;
  width: number;
  height: number;
} {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = window.devicePixelRatio;
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const context = canvas.getContext("2d")!; // the only kind that is asked of it
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** A colour of the style sheet as it is now, light or dark. */
export const colour = (element: Element, name: string): string =>
  getComputedStyle(element).getPropertyValue(name).trim();

export const sentenceOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
