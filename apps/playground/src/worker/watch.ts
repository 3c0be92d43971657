import type { Tokenizer } from "@finegrain/generate";
import { type Backend, FinegrainError } from "@finegrain/graph";
import type { Job, ShownToken, Wrote } from "../protocol.ts";
import { openEngine } from "./open-engine.ts";
import { openModel } from "./open-model.ts";
import type { ReadToken, WatchedModel } from "./watched-model.ts";

/** Seconds that a model writes before it is another's turn, and between two events. */
const TURN = 0.05;

interface Opened {
  readonly backend: Backend;
  readonly models: readonly WatchedModel[];
}

/** What this worker has open: it is there for one page, which opens one thing at a time. */
let opened: Opened | undefined;

export const open: Job<"open"> = async ({ models: sources, engine }) => {
  await giveBack();
  const backend = await openEngine(engine);
  const models: WatchedModel[] = [];
  opened = { backend, models };
  for (const source of sources) models.push(await openModel(source, backend));
  return models.map(({ facts }) => facts);
};

async function giveBack(): Promise<void> {
  const { backend, models } = opened ?? { models: [] };
  opened = undefined;
  for (const model of models) await model[Symbol.asyncDispose]();
  await backend?.[Symbol.asyncDispose]();
}

/** Let models write in turns of equal time, so that each is as fast as it would be alone on the device. */
export const write: Job<"write"> = async ({ models: wanted, prompt, maxTokens, ...sampling }, { tell, signal }) => {
  const racers = wanted.map((place) => {
    const model = opened?.models[place];
    if (model === undefined) throw new FinegrainError("there is no such model open: open one first");
    const ids = model.tokenizer.encode(prompt);
    if (ids.length === 0) throw new FinegrainError("the prompt is empty: there is nothing to go on from");
    return new Racer(place, model.write(ids, sampling), model.tokenizer, maxTokens, tell);
  });
  try {
    while (!signal.aborted) {
      const waiting = racers.filter((racer) => !racer.isDone);
      if (waiting.length === 0) break;
      await waiting.reduce((a, b) => (b.spent < a.spent ? b : a)).write(signal);
    }
  } finally {
    for (const racer of racers) await racer.end();
  }
  return undefined;
};

/** A model that writes, with the time that it had. */
class Racer {
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

  /** Write for a turn, and tell what was read and written. */
  async write(signal: AbortSignal): Promise<void> {
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
    this.spent += (last - started) / 1000;
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
