import {
  add,
  concat,
  type Donation,
  FinegrainError,
  type Graph,
  graph,
  input,
  lessEqual,
  max,
  reshape,
  sameShape,
  slice,
  type Tensor,
  type TensorType,
} from "@finegrain/graph";
import {
  type CacheTree,
  joinStreams,
  type LanguageModel,
  leaves,
  mapTree,
  ofStreams,
  type SourceReader,
  type Storage,
  storedProducts,
  type Tree,
  traceWeights,
} from "@finegrain/nn";
import { drawToken } from "./draw-token.ts";
import { likely } from "./likely.ts";
import { marked, penalized } from "./penalties.ts";
import { type DrawInputs, type DrawKind, drawInputs } from "./sampling.ts";

export interface DecodeShape {
  /** Tokens that one run takes. */
  readonly tokens: number;
  /** Tokens that the caches have room for. */
  readonly capacity: number;
  /** Tokens that a source is padded to. Default 0: there is none. */
  readonly source?: number;
  /** Default "float32". */
  readonly storage?: Storage;
}

/** Types of a model's caches, by path, behind a source that is padded to so many tokens. */
export const cacheTypes = (model: LanguageModel, capacity: number, source = 0): Map<string, TensorType> =>
  new Map(leaves<TensorType>(model.caches(1, capacity, source)));

/** Paths of the caches that are of all tokens so far, as a convolution's and a recurrence's are; others have room for each token by its place. */
export function statesOf(model: LanguageModel): string[] {
  const [one, two] = [cacheTypes(model, 1), cacheTypes(model, 2)];
  return [...one].flatMap(([path, { shape }]) => (sameShape(shape, two.get(path)!.shape) ? [path] : [])); // both have the same paths
}

/**
 * What a model keeps of a source, which is read once.
 *
 *   weights  as they are stored, by path
 *   source   int32 [1, n]    padded at its end
 *   memory   comes out, by path
 */
export function encodeGraph(model: LanguageModel, { source, storage = "float32" }: SourceShape) {
  const { weights, stored } = traceWeights(model.params, storage);
  const ids = input([1, source], "int32", "source");
  const encode = graph({
    name: `encoding of ${source}`,
    inputs: { weights: stored, source: ids },
    outputs: { memory: byPath(readerOf(model).encode(weights, ids)) },
  });
  return storedProducts(encode, storage);
}

/**
 * The caches with `count` more of the source's vectors, of a model whose text stands behind them.
 *
 *   weights, memory  as of `encodeGraph`
 *   caches           by path: donated
 *   start            int32 []     which of the vectors is the first
 */
export function readGraph(
  model: LanguageModel,
  shape: SourceShape & { readonly count: number; readonly capacity: number },
) {
  const { count, capacity, source, storage = "float32" } = shape;
  const { weights, stored } = traceWeights(model.params, storage);
  const [caches, memory] = [inputsOf(model.caches(1, capacity, source)), inputsOf(readerOf(model).memory(1, source))];
  const start = input([], "int32", "start");
  const next = readerOf(model).read!(weights, memory, caches, start, count); // the caller made sure
  const read = graph({
    name: `reading of ${count} at ${capacity}`,
    inputs: { weights: stored, memory: byPath(memory), caches: byPath(caches), start },
    outputs: { caches: byPath(next.caches) },
  });
  return { graph: storedProducts(read, storage), donate: ["caches"] satisfies Donation[] };
}

export interface SourceShape {
  /** Tokens that it is padded to. */
  readonly source: number;
  /** Default "float32". */
  readonly storage?: Storage;
}

/** @throws FinegrainError where the model's texts follow no source. */
function readerOf({ source }: LanguageModel): SourceReader {
  if (!source) throw new FinegrainError("a language model without an encoder reads no source");
  return source;
}

const inputsOf = (types: CacheTree): Tree<Tensor> =>
  mapTree<TensorType, Tensor>(types, ({ shape, dtype }, path) => input(shape, dtype, path));

/**
 * Logits of the token after the next ones, float32 [1, vocabulary], and the caches with those.
 *
 *   weights   as they are stored, by path
 *   memory    by path: see `encodeGraph`; nothing where there is no source
 *   caches    by path: donated
 *   tokens    int32 [1, n]
 *   position  int32 []      tokens that are cached already
 */
export function decodeGraph(model: LanguageModel, shape: DecodeShape) {
  const { tokens, capacity } = shape;
  const { weights, memory, before, after, ids, position, logits } = decoding(model, shape);
  const decode = graph({
    name: `decode of ${tokens} at ${capacity}`,
    inputs: { weights, memory, caches: before, tokens: ids, position },
    outputs: { caches: after, logits },
  });
  return { graph: storedProducts(decode, shape.storage), donate: ["caches"] satisfies Donation[] };
}

/**
 * What else a step that writes is to show: made of the nodes of its graph.
 * @param weights the graph's own inputs by path, as they are stored.
 */
export type Watch = (step: Graph, weights: Readonly<Record<string, Tensor>>) => Readonly<Record<string, Tensor>>;

/**
 * A step that writes: it takes what the step before it made, so that nothing comes or goes between them.
 *
 *   weights, memory, caches, position
 *                              as of {@link decodeGraph}; the position comes out one further, and is donated too
 *   token                      int32 [1, 1]; the next one comes out, see `drawToken`
 *   draw                       what it is drawn with, see `drawInputs`
 *   text.marks                 int32 [vocabulary]: where there are penalties, the tokens of the text, see `marksOf`; donated too
 *   likely                     comes out where it is asked for, see `likely`
 *   watched                    comes out: what `watch` makes
 *
 * The token is not donated, since it is also read. A token below 0, which is no token, is taken as 0: by the time it is known, the next
 * step has been asked for.
 */
export function writeGraph(model: LanguageModel, kind: DrawKind, shape: Omit<WriteShape, "tokens">, watch?: Watch) {
  const { weights, memory, before, after, ids, position, logits } = decoding(model, { ...shape, tokens: 1 }, (ids) =>
    max(ids, 0),
  );
  const { takes: given, gives: made } = drawing(logits, ids, position, kind);
  const write = graph({
    name: `write at ${shape.capacity}`,
    inputs: { weights, memory, caches: before, position, token: ids, ...given },
    outputs: { caches: after, ...made, watched: {} as Readonly<Record<string, Tensor>> },
  });
  const stored = storedProducts(write, shape.storage);
  const { name, takes, gives } = stored;
  return {
    graph: watch
      ? graph({ name, inputs: takes, outputs: { ...gives, watched: watch(stored, takes.weights) } })
      : stored,
    donate: [...(shape.keepsStates ? cachesByPlace(model) : ["caches"]), "position", "text"] satisfies Donation[],
  };
}

export interface WriteShape extends DecodeShape {
  /** Leave the caches that are no longer there otherwise, see {@link statesOf}, to the caller: so that a step can be taken back. */
  readonly keepsStates?: boolean;
}

const cachesByPlace = (model: LanguageModel): string[] => {
  const states = new Set(statesOf(model));
  return [...cacheTypes(model, 1).keys()].flatMap((path) => (states.has(path) ? [] : [`caches.${path}`]));
};

/**
 * What a model would have written behind each of the next tokens: the draws of {@link writeGraph}, had it been given them one by one.
 *
 *   weights, caches, position, draw
 *                as of `writeGraph`; the caches are donated
 *   token        int32 [1, n]
 *   text.marks   int32 [vocabulary]: where there are penalties, of the text before them
 *   drawn        int32 [n]    comes out
 */
export function checkGraph(model: LanguageModel, kind: DrawKind, shape: DecodeShape) {
  const { tokens: count, capacity, storage } = shape;
  const { weights, before, after, ids, position, logits } = decoding(model, { ...shape, every: true });
  const draw = drawInputs(kind);
  const rows = reshape(logits, [count, logits.shape[2]!]);
  const at = (x: Tensor, i: number) =>
    reshape(slice(x, { starts: [i, 0], ends: [i + 1, x.shape[1]!] }), x.shape.slice(1));
  const tokens = reshape(ids, [count, 1]);
  let text: Readonly<Record<string, Tensor>> | undefined;
  let marks: Readonly<Record<string, Tensor>> = {};
  const drawn = Array.from({ length: count }, (_, i) => {
    const place = add(position, i);
    const step = penalizing(at(rows, i), reshape(at(tokens, i), []), place, draw, marks);
    text ??= step.text;
    marks = step.next;
    return reshape(drawToken(step.left, kind, draw, place), [1]);
  });
  const check = graph({
    name: `check of ${count} at ${capacity}`,
    inputs: { weights, caches: before, token: ids, position, draw, text: text ?? {} },
    outputs: { caches: after, drawn: count === 1 ? drawn[0]! : concat(...drawn, { axis: 0 }) },
  });
  return { graph: storedProducts(check, storage), donate: ["caches"] satisfies Donation[] };
}

/**
 * A step of several streams that write, each as {@link writeGraph} does by itself: weights are read once for all of them.
 *
 *   weights   as they are stored, by path
 *   streams   of each what `writeGraph` takes and gives, without a source
 *
 * @param kinds how each stream draws.
 */
export function writeTogetherGraph(
  model: LanguageModel,
  kinds: readonly DrawKind[],
  { capacity, storage = "float32" }: Pick<DecodeShape, "capacity" | "storage">,
) {
  const { weights, stored } = traceWeights(model.params, storage);
  const own = kinds.map((kind) => {
    const [token, position] = [input([1, 1], "int32", "token"), input([], "int32", "position")];
    return { kind, token, position, caches: byPath(inputsOf(model.caches(1, capacity))) };
  });
  const caches = mapTree<TensorType, Tensor>(model.caches(1, capacity), (_, path) =>
    joinStreams(own.map((stream) => stream.caches[path]!)),
  );
  const positions = joinStreams(own.map(({ position }) => reshape(position, [1])));
  const tokens = joinStreams(own.map(({ token }) => max(token, 0)));
  const next = model.decode(weights, tokens, caches, positions);
  const logits = ofStreams(next.logits, own.length);
  const after = leaves<Tensor>(next.caches).map(([path, cache]) => [path, ofStreams(cache, own.length)] as const);
  const streams = own.map(({ kind, token, position, caches }, i) => {
    const { takes, gives } = drawing(logits[i]!, token, position, kind);
    return {
      takes: { caches, position, token, ...takes },
      gives: { caches: Object.fromEntries(after.map(([path, parts]) => [path, parts[i]!])), ...gives },
    };
  });
  const write = graph({
    name: `write of ${kinds.length} streams at ${capacity}`,
    inputs: { weights: stored, streams: streams.map(({ takes }) => takes) },
    outputs: { streams: streams.map(({ gives }) => gives) },
  });
  return {
    graph: storedProducts(write, storage),
    donate: kinds.flatMap((_, i) => ["caches", "position", "text"].map((name): Donation => `streams.${i}.${name}`)),
  };
}

/** What a step that writes takes and gives beside caches: the next token of a stream, drawn of its logits, float32 [1, vocabulary]. */
function drawing(logits: Tensor, ids: Tensor, position: Tensor, kind: DrawKind) {
  const draw = drawInputs(kind);
  const ofModel = reshape(logits, [logits.shape[1]!]);
  const { text, next, left } = penalizing(ofModel, reshape(ids, []), position, draw);
  const token = drawToken(left, kind, draw, position);
  return {
    takes: { draw, text },
    gives: {
      position: add(position, 1),
      token: reshape(token, [1, 1]),
      text: next,
      likely: kind.likely === undefined ? {} : likely(ofModel, token, kind.likely),
    },
  };
}

/**
 * Logits less the penalties of what the text has, up to the token at a position; and what is known of the text, before and after it.
 * @param known of the text before the token, where that is not an input.
 */
function penalizing(
  logits: Tensor,
  token: Tensor,
  position: Tensor,
  { penalties, promptEnd }: DrawInputs,
  known: Readonly<Record<string, Tensor>> = {},
): Record<"text" | "next", Readonly<Record<string, Tensor>>> & { readonly left: Tensor } {
  if (penalties === undefined || promptEnd === undefined) return { text: {}, next: {}, left: logits };
  const before = known.marks ?? input(logits.shape, "int32", "marks");
  const marks = marked(before, token, lessEqual(promptEnd, position));
  return { text: { marks: before }, next: { marks }, left: penalized(logits, marks, penalties) };
}

/** @param known makes the ids that are looked up of those that are given. */
function decoding(
  model: LanguageModel,
  { tokens, capacity, source = 0, storage = "float32", every }: DecodeShape & { readonly every?: boolean },
  known = (ids: Tensor): Tensor => ids,
) {
  const { weights, stored } = traceWeights(model.params, storage);
  const caches = inputsOf(model.caches(1, capacity, source));
  const memory = model.source ? inputsOf(model.source.memory(1, source)) : {};
  const [ids, position] = [input([1, tokens], "int32", "tokens"), input([], "int32", "position")];
  const next = model.decode(weights, known(ids), caches, position, memory, every);
  const [before, after] = [byPath(caches), byPath(next.caches)];
  return { weights: stored, memory: byPath(memory), before, after, ids, position, logits: next.logits };
}

const byPath = (caches: Parameters<typeof leaves<Tensor>>[0]): Readonly<Record<string, Tensor>> =>
  Object.fromEntries(leaves<Tensor>(caches));
