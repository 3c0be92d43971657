import {
  cacheTypes,
  drawKind,
  drawNumbers,
  type SamplingOptions,
  type Tokenizer,
  tokenOf,
  writeGraph,
} from "@finegrain/generate";
import {
  type Backend,
  type Buffer,
  byteSize,
  bytesRead,
  disposeTree,
  graph,
  type HostTensor,
  hostTensor,
  inTurns,
  type Tensor,
  zeroTensor,
} from "@finegrain/graph";
import { type LanguageModel, parameterCount, type Storage, uploadingWeights } from "@finegrain/nn";
import type { OpenedModel } from "../protocol.ts";
import { type Units, unitsOf } from "./units.ts";

/** A token that a model has read: from the prompt, or written by itself. */
export interface ReadToken {
  readonly token: number;
  readonly isPrompt: boolean;
  /** The units that it turned on, layer by layer; undefined where all are on. */
  readonly units: Int32Array | undefined;
}

export interface WatchedModel extends AsyncDisposable {
  readonly facts: OpenedModel;
  readonly tokenizer: Tokenizer;
  /** Read a prompt and write on, until the consumer returns. A text that is longer than the model's context goes on behind its last half. */
  write(prompt: Int32Array, options: SamplingOptions): AsyncGenerator<ReadToken, never, undefined>;
}

export interface WatchedModelOptions {
  readonly name: string;
  readonly backend: Backend;
  readonly model: LanguageModel;
  readonly tokenizer: Tokenizer;
  readonly weights: ReadonlyMap<string, HostTensor>;
  readonly storage: Storage;
  readonly bitsPerByte: number | undefined;
}

/**
 * A model that shows what it turns on. Its steps are those of `finegrain generate`, with one more output, so that it writes the same.
 * @throws FinegrainError where the weights are not the model's.
 */
export async function watchedModel(options: WatchedModelOptions): Promise<WatchedModel> {
  const { name, backend, model, tokenizer, storage, bitsPerByte } = options;
  const { maxLength, layers } = model.config;
  const weights = Object.fromEntries(await inTurns(uploadingWeights(backend, model, options.weights, storage)));
  const greedy = watchedGraph(model, { temperature: 0 }, storage);
  const caches = [...cacheTypes(model, maxLength).values()].reduce((bytes, type) => bytes + byteSize(type), 0);
  const steps = new Map<boolean, Promise<Step>>();
  const stepOf = (options: SamplingOptions): Promise<Step> => {
    const isGreedy = options.temperature === 0;
    const step = steps.get(isGreedy) ?? compiled(backend, isGreedy ? greedy : watchedGraph(model, options, storage));
    steps.set(isGreedy, step);
    return step;
  };
  return {
    facts: {
      name,
      backend: backend.name,
      parameters: parameterCount(model.params),
      bytesPerToken: bytesRead(greedy.graph) - caches,
      bitsPerByte,
      units: { layers, units: greedy.units?.units ?? unitsOfDense(model), on: greedy.units?.on },
    },
    tokenizer,
    async *write(prompt, options) {
      const step = await stepOf(options);
      let window = prompt.slice(-maxLength);
      for (let moves = 0; ; moves++) {
        // Draws are a function of the seed and the place in the window, which begins anew.
        const seed = (options.seed ?? 0) + moves;
        const seen: number[] = [];
        for await (const read of writeWindow({ backend, model, weights, step }, window, { ...options, seed })) {
          seen.push(read.token);
          // What was shown before the window moved is not shown again.
          if (moves === 0 || seen.length > window.length) yield { ...read, isPrompt: moves === 0 && read.isPrompt };
        }
        window = Int32Array.from(seen.slice(-Math.ceil(maxLength / 2)));
      }
    },
    async [Symbol.asyncDispose]() {
      disposeTree(weights);
      for (const step of steps.values()) (await step)[Symbol.dispose]();
    },
  };
}

/** Of layers that read all of their units. */
const unitsOfDense = ({ config: { dModel, dFf = 4 * dModel } }: LanguageModel): number => dFf;

function watchedGraph(model: LanguageModel, options: SamplingOptions, storage: Storage) {
  const kind = drawKind(options, model.config.vocabulary);
  const { graph: write, donate } = writeGraph(model, kind, { capacity: model.config.maxLength, storage });
  const units: Units | undefined = unitsOf(write, write.takes.weights);
  const watched: Readonly<Record<string, Tensor>> = units ? { units: units.chosen } : {};
  const outputs = { ...write.gives, watched };
  return { graph: graph({ name: `watched ${write.name}`, inputs: write.takes, outputs }), donate, units };
}

type Step = Awaited<ReturnType<typeof compiled>>;

const compiled = (backend: Backend, { graph, donate }: ReturnType<typeof watchedGraph>) =>
  backend.compile(graph, { donate });

interface Writer {
  readonly backend: Backend;
  readonly model: LanguageModel;
  readonly weights: Readonly<Record<string, Buffer>>;
  readonly step: Step;
}

/** Read a prompt and write on, until the model's context is full. A step is under way while what the one before it made is read. */
async function* writeWindow(
  { backend, model, weights, step }: Writer,
  prompt: Int32Array,
  options: SamplingOptions,
): AsyncGenerator<ReadToken, void, undefined> {
  const { maxLength, vocabulary } = model.config;
  const upload = (values: ReadonlyMap<string, HostTensor>): Readonly<Record<string, Buffer>> =>
    Object.fromEntries([...values].map(([name, value]) => [name, backend.upload(value)]));
  const numbers = drawNumbers(options, drawKind(options, vocabulary), prompt.length);
  const draw = upload(new Map(Object.entries(numbers)));
  const types = [...cacheTypes(model, maxLength)];
  let caches = upload(new Map(types.map(([path, type]) => [path, zeroTensor(type)])));
  let position = backend.upload(hostTensor("int32", [], [0]));
  /** What the step before made, of the token that it read. */
  let before: Made | undefined;
  let token = prompt[0]!; // a prompt has one
  try {
    for (let at = 0; at < maxLength; at++) {
      const given = at < prompt.length ? backend.upload(hostTensor("int32", [1, 1], [prompt[at]!])) : undefined;
      const {
        caches: after,
        position: next,
        ...made
      } = step.run({
        ...{ weights, caches, position, draw, text: {} },
        token: given ?? before!.token, // a prompt has one, so there is a step before
      });
      [caches, position] = [after, next];
      given?.[Symbol.dispose]();
      if (before !== undefined) {
        const following = prompt[at] ?? tokenOf((await before.token.read()).data[0]!, at);
        const units = await unitsOfStep(before);
        disposeTree([before.token, before.watched]);
        before = made;
        yield { token, isPrompt: at <= prompt.length, units };
        token = following;
      } else before = made;
    }
    yield { token, isPrompt: maxLength <= prompt.length, units: await unitsOfStep(before!) };
  } finally {
    disposeTree([caches, position, draw]);
    if (before) disposeTree([before.token, before.watched]);
  }
}

/** What a step makes that is not the next one's alone. */
interface Made {
  readonly token: Buffer;
  readonly watched: Readonly<Record<string, Buffer>>;
}

async function unitsOfStep({ watched: { units } }: Made): Promise<Int32Array | undefined> {
  return units && Int32Array.from((await units.read()).data);
}
