// Many texts, several at a time: a step reads the weights once and writes a token of each.

import { type Buffer, disposeTree, FinegrainError } from "@finegrain/graph";
import { type Drawing, Pen, readDrawn } from "./pen.ts";
import { type Generated, type GenerateOptions, Shown } from "./shown.ts";
import { checkSource, type Decoder, expectKnown, Stream, uploadTokens } from "./stream.ts";
import { readAhead } from "./write.ts";

/** What is written behind one of several prompts. */
export interface GeneratedOf extends Generated {
  /** Which prompt: its place in the list. */
  readonly prompt: number;
}

/** See `generateAll` of a `Generator`. */
export async function* generateTogether(
  decoder: Decoder,
  streams: number,
  prompts: readonly Int32Array[],
  options: GenerateOptions | readonly GenerateOptions[],
): AsyncGenerator<GeneratedOf, void, undefined> {
  const waiting = asked(decoder, prompts, options);
  using desk = new Desk(decoder, streams);
  for (;;) {
    while (desk.texts.length < streams && waiting.length > 0) {
      const ask = waiting.shift()!; // there is one
      if (!(await desk.begin(ask))) yield { prompt: ask.prompt, ...ask.shown.abort() };
    }
    if (desk.texts.length === 0) return;
    await desk.step();
    const told = await Promise.all(desk.texts.map(async (text) => ({ text, piece: await text.tell() })));
    for (const { text, piece } of told) if (piece?.end) desk.clear(text);
    for (const { text, piece } of told) if (piece) yield { prompt: text.ask.prompt, ...piece };
  }
}

/** A prompt, and how it is to go on. */
interface Ask {
  readonly prompt: number;
  readonly tokens: Int32Array;
  readonly options: GenerateOptions;
  readonly shown: Shown;
}

function asked(
  { model }: Decoder,
  prompts: readonly Int32Array[],
  options: GenerateOptions | readonly GenerateOptions[],
): Ask[] {
  const { maxLength, vocabulary } = model.config;
  const all = Array.isArray(options) ? (options as readonly GenerateOptions[]) : prompts.map(() => options);
  if (all.length !== prompts.length)
    throw new FinegrainError(`${prompts.length} prompts need as many options, or one for all, not ${all.length}`);
  if (model.source) throw new FinegrainError("texts that follow a source are written one by one: use generate");
  return prompts.map((tokens, prompt) => {
    const own = all[prompt] as GenerateOptions; // there are as many
    if (own.context !== undefined)
      throw new FinegrainError("of texts that are written together none has a window that slides: use generate");
    checkSource(model, own.source);
    const shown = new Shown(tokens, own, maxLength);
    expectKnown(tokens, vocabulary);
    return { prompt, tokens, options: own, shown };
  });
}

/** A place of a step: what it reads, and what becomes of what it draws. */
interface Writer {
  readonly stream: Stream;
  readonly pen: Pen;
  /** The token to read, which stays the writer's. */
  next(): Buffer;
  keep(drawn: Drawing): void;
}

/** The texts that are being written. */
class Desk implements Disposable {
  readonly #decoder: Decoder;
  readonly #streams: number;
  /** Streams of no text, for steps of more streams than there are texts. */
  readonly #idle: Stream[] = [];
  #texts: Text[] = [];

  constructor(decoder: Decoder, streams: number) {
    this.#decoder = decoder;
    this.#streams = streams;
  }

  get texts(): readonly Text[] {
    return this.#texts;
  }

  /** Read a prompt, but for its last tokens. @returns whether it was not aborted. */
  async begin(ask: Ask): Promise<boolean> {
    const { signal } = ask.options;
    // In a step the caches of all streams have the same room.
    const capacity = Math.max(this.#decoder.capacity, ...this.#texts.map(({ stream }) => stream.capacityWith(1)));
    const stream = new Stream({ ...this.#decoder, capacity });
    try {
      signal?.throwIfAborted();
      this.#texts.push(new Text(ask, stream, await readAhead(stream, ask.tokens, signal)));
      return true;
    } catch (error) {
      stream[Symbol.dispose]();
      if (signal?.aborted) return false;
      throw error;
    }
  }

  /** A step of all texts that go on. */
  async step(): Promise<void> {
    const texts = this.#texts.filter(({ goesOn }) => goesOn).sort(byKind);
    const last = texts.at(-1);
    if (last === undefined) return;
    const capacity = Math.max(...texts.map(({ stream }) => stream.capacityWith(1)));
    const spare = this.#spare(placesFor(texts.length, this.#streams) - texts.length);
    const idle = spare.map((stream) => new Idle(stream, last.ask.options));
    const writers: readonly Writer[] = [...texts, ...idle];
    try {
      const drawn = await Stream.writeTogether(
        writers.map(({ stream }) => stream),
        writers.map(({ pen }) => pen.kind),
        writers.map((writer) => writer.pen.given(writer.next())),
        capacity,
      );
      for (const [i, writer] of writers.entries()) writer.keep(writer.pen.keep({ ...drawn[i]!, watched: {} }));
    } finally {
      for (const one of idle) one[Symbol.dispose]();
    }
  }

  #spare(count: number): Stream[] {
    while (this.#idle.length < count) this.#idle.push(new Stream(this.#decoder));
    return this.#idle.slice(0, count);
  }

  /** Put a text away. */
  clear(text: Text): void {
    this.#texts = this.#texts.filter((other) => other !== text);
    text[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    for (const held of [...this.#texts, ...this.#idle]) held[Symbol.dispose]();
  }
}

/** Places of a step of so many texts: a power of two, or all streams, so that few graphs are compiled as texts come to their ends. */
const placesFor = (texts: number, streams: number): number => Math.min(streams, 2 ** Math.ceil(Math.log2(texts)));

/** Texts that draw alike stand side by side, for the same reason. */
function byKind({ pen: a }: Text, { pen: b }: Text): number {
  const [one, other] = [JSON.stringify(a.kind), JSON.stringify(b.kind)];
  return one < other ? -1 : Number(one > other);
}

/** A text that is being written. Its tokens are read by the step behind the one that drew them, and told then. */
class Text implements Writer, Disposable {
  readonly ask: Ask;
  readonly stream: Stream;
  readonly pen: Pen;
  /** Tokens of the prompt that are yet to be read. */
  #left: Int32Array;
  /** The first of them, while a step reads it. */
  #given: Buffer | undefined;
  /** Drawn behind the last token that was read; and before that, until it is told. */
  #drawn: Drawn | undefined;
  #untold: Drawn | undefined;
  #count = 0;

  /** @param read how many tokens of the prompt are in the stream. */
  constructor(ask: Ask, stream: Stream, read: number) {
    this.ask = ask;
    this.stream = stream;
    this.#left = ask.tokens.subarray(read);
    this.pen = new Pen(stream, ask.tokens, ask.tokens.length, ask.options);
  }

  /** Whether there is a step to be made for it. */
  get goesOn(): boolean {
    const { maxLength } = this.stream.decoder.model.config;
    return this.#count < this.ask.options.maxTokens && this.stream.position < maxLength;
  }

  next(): Buffer {
    const [token] = this.#left;
    if (token === undefined) return this.#drawn!.drawing.token; // behind the whole prompt there is one
    this.#given = uploadTokens(this.stream.decoder.backend, Int32Array.of(token));
    return this.#given;
  }

  keep(drawing: Drawing): void {
    this.#given?.[Symbol.dispose]();
    this.#given = undefined;
    this.#left = this.#left.subarray(1);
    if (this.#left.length > 0) {
      disposeTree(drawing);
    } else {
      this.#untold = this.#drawn;
      this.#drawn = { drawing, position: this.stream.position };
      this.#count++;
    }
  }

  /** The next token that was drawn, if there is one and the step behind it is under way or not to be made. */
  async tell(): Promise<Generated | undefined> {
    const { options, shown } = this.ask;
    if (this.#untold === undefined && !this.goesOn) {
      this.#untold = this.#drawn;
      this.#drawn = undefined;
    }
    if (this.#untold === undefined) return undefined;
    const { drawing, position } = this.#untold;
    try {
      return shown.push(await readDrawn(drawing, position, options.signal));
    } catch (error) {
      if (!options.signal?.aborted) throw error;
      return shown.abort();
    } finally {
      disposeTree(drawing);
      this.#untold = undefined;
    }
  }

  [Symbol.dispose](): void {
    this.stream[Symbol.dispose]();
    this.pen[Symbol.dispose]();
    this.#given?.[Symbol.dispose]();
    for (const drawn of [this.#untold, this.#drawn]) if (drawn) disposeTree(drawn.drawing);
  }
}

/** A token on the device, and the tokens before it. */
interface Drawn {
  readonly drawing: Drawing;
  readonly position: number;
}

/** A place of a step that no text has: it begins one, which nobody reads. */
class Idle implements Writer, Disposable {
  readonly stream: Stream;
  readonly pen: Pen;
  readonly #token: Buffer;

  /** @param options of a text that draws alike. */
  constructor(stream: Stream, options: GenerateOptions) {
    stream.rewind();
    this.stream = stream;
    this.pen = new Pen(stream, Int32Array.of(0), 1, options);
    this.#token = uploadTokens(stream.decoder.backend, Int32Array.of(0));
  }

  next(): Buffer {
    return this.#token;
  }

  keep(drawing: Drawing): void {
    disposeTree(drawing);
  }

  [Symbol.dispose](): void {
    this.pen[Symbol.dispose]();
    this.#token[Symbol.dispose]();
  }
}
