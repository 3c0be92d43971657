import type { Tokenizer } from "@finegrain/generate";
import type { ShownToken, Wrote } from "../protocol.ts";
import type { ReadToken } from "./watched-model.ts";

/** Seconds that a model writes before it is another's turn, and between two events. */
const TURN = 0.05;

/**
 * Let models write in turns of equal time, until each has written as much as it is to, or an abort.
 * @param idle resolves when the device has nothing to do.
 */
export async function race(racers: readonly Racer[], idle: () => Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    while (!signal.aborted) {
      const waiting = racers.filter(({ isDone }) => !isDone);
      if (waiting.length === 0) return;
      await waiting.reduce((a, b) => (b.spent < a.spent ? b : a)).write(idle, signal);
    }
  } finally {
    for (const racer of racers) await racer.end();
  }
}

/** A model that writes, with the time that it had. */
export class Racer {
  readonly #place: number;
  readonly #tokens: AsyncGenerator<ReadToken, never, undefined>;
  readonly #text: ReturnType<Tokenizer["stream"]>;
  readonly #vocabulary: number;
  readonly #most: number;
  readonly #tell: (event: Wrote, transfer?: Transferable[]) => void;
  #written = 0;
  /** Seconds since the prompt was read. */
  #writing = 0;
  /** All seconds. */
  spent = 0;

  constructor(
    place: number,
    tokens: AsyncGenerator<ReadToken, never, undefined>,
    tokenizer: Tokenizer,
    most: number,
    tell: (event: Wrote, transfer?: Transferable[]) => void,
  ) {
    this.#place = place;
    this.#tokens = tokens;
    this.#text = tokenizer.stream();
    this.#vocabulary = tokenizer.vocabularySize;
    this.#most = most;
    this.#tell = tell;
  }

  get isDone(): boolean {
    return this.#written >= this.#most;
  }

  /**
   * Write for a turn, and tell what was read and written. The turn ends when the device is idle: the step that is under way then is this
   * model's, and would otherwise take time of the next one's turn.
   */
  async write(idle: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const tokens: ShownToken[] = [];
    const units: Int32Array[] = [];
    const started = performance.now();
    let last = started;
    while (!this.isDone && !signal.aborted && last - started < 1000 * TURN) {
      const { value } = await this.#tokens.next();
      const now = performance.now();
      if (!value.isPrompt) {
        this.#written++;
        this.#writing += (now - last) / 1000;
      }
      last = now;
      // A model may have rows for more tokens than there are: those have no text.
      const text = value.token < this.#vocabulary ? this.#text.push(value.token) : "";
      tokens.push({ text, isPrompt: value.isPrompt });
      if (value.units) units.push(value.units);
    }
    await idle();
    const ended = performance.now();
    if (this.#written > 0) this.#writing += (ended - last) / 1000;
    this.spent += (ended - started) / 1000;
    const flat = new Uint16Array(units.reduce((length, { length: more }) => length + more, 0));
    units.reduce((at, chosen) => {
      flat.set(chosen, at);
      return at + chosen.length;
    }, 0);
    const wrote = { model: this.#place, tokens, units: flat, written: this.#written, seconds: this.#writing };
    this.#tell(wrote, [flat.buffer]);
  }

  async end(): Promise<void> {
    await this.#tokens.return(undefined as never); // it never returns by itself
  }
}
