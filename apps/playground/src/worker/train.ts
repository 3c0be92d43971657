import { byteTokenizer, createGenerator, type Tokenizer } from "@finegrain/generate";
import { type Backend, FinegrainError } from "@finegrain/graph";
import { equalParameters, parameterCount, scalingLM } from "@finegrain/nn";
import {
  type Checkpoint,
  openedRun,
  type Run,
  type RunStore,
  speeches,
  type TrainingListener,
  train,
} from "@finegrain/runs";
import type { Job, NewRun } from "../protocol.ts";
import { type Folder, openFolder } from "./folder.ts";
import { openEngine } from "./open-engine.ts";
import { configOf, keptCheckpoint, pageStore, textOf } from "./run-files.ts";

const SAMPLE = { maxTokens: 96, temperature: 0.7, seed: 1 };
/** Seconds after which a sample ends behind the token at hand, so that training does not wait for it on a slow device. */
const SAMPLE_TIME = 1;
/** Characters of the text that a sample goes on from. */
const PROMPT = 16;

/** Train a run, or go on with one that is kept. A stop ends it after the step at hand, with a checkpoint. */
export const trainRun: Job<"train"> = async ({ run: name, engine, begin }, { tell, signal }) => {
  await using backend = await openEngine(engine);
  const tokenizer = byteTokenizer();
  const folder = await openFolder(name);
  const data = begin?.text ?? (await keptText(folder, name));
  const prompt = data.slice(0, PROMPT);
  const store: RunStore = {
    ...pageStore(folder),
    async begin(config, tokenizer) {
      await pageStore(folder).begin(config, tokenizer);
      await folder.write(TEXT, data);
    },
    async save(content, options) {
      const checkpoint = await pageStore(folder).save(content, options);
      const text = await sample(backend, tokenizer, checkpoint, prompt);
      tell({ kind: "sample", step: checkpoint.step, text: prompt + text });
      return checkpoint;
    },
  };
  const listener: TrainingListener = {
    onStart: ({ step, model, config }) =>
      tell({
        kind: "start",
        step,
        steps: config.training.steps,
        parameters: parameterCount(model.params),
        backend: backend.name,
      }),
    onStep: ({ step, loss, tokensPerSecond }) => tell({ kind: "step", step, loss, tokensPerSecond }),
    onEvaluation: (evaluation) => tell({ kind: "evaluation", ...evaluation }),
  };
  const options = { backend, tokenizer, store, signal, data, ...listener };
  await using run = begin ? await train({ ...options, ...partsOf(begin) }) : await goOn(options, folder);
  return { step: run.step, isWhole: run.outcome?.interrupted === false };
};

export const latestSpeeches: Job<"speeches"> = async (count) =>
  (await speeches())
    .slice(-count)
    .map(({ text }) => text)
    .join("\n\n");

/** The text that a run learns from, which is kept beside it. */
const TEXT = "text.txt";

async function keptText(folder: Folder, name: string): Promise<string> {
  const bytes = await folder.read(TEXT);
  if (bytes === undefined) throw new FinegrainError(`there is no run "${name}" to go on with: train one first`);
  return textOf(bytes);
}

interface Options extends TrainingListener {
  readonly backend: Backend;
  readonly tokenizer: Tokenizer;
  readonly store: RunStore;
  readonly data: string;
  readonly signal: AbortSignal;
}

async function goOn({ backend, tokenizer, store, ...options }: Options, folder: Folder): Promise<Run> {
  const checkpoint = await keptCheckpoint(folder);
  if (checkpoint === undefined) throw new FinegrainError("the run has no checkpoint yet: train it anew");
  const run = openedRun({ backend, config: configOf(checkpoint), checkpoint, tokenizer, layers: {}, store });
  await run.train(options);
  return run;
}

function partsOf({ model: given, asDense, training }: NewRun) {
  const { feedForward, ...dense } = { ...given, vocabulary: byteTokenizer().vocabularySize };
  const sparse = { ...dense, ...(feedForward && { feedForward }) };
  const model = asDense ? equalParameters(dense, sparse) : sparse;
  return { model, training: { ...training, checkpointEvery: training.evaluateEvery } };
}

/** What a model writes behind a prompt, as it is at a checkpoint. */
async function sample(backend: Backend, tokenizer: Tokenizer, checkpoint: Checkpoint, prompt: string): Promise<string> {
  const { model: config } = configOf(checkpoint);
  const weights = await checkpoint.readModel();
  await using generator = await createGenerator({ backend, model: scalingLM(config), weights });
  const maxTokens = Math.min(SAMPLE.maxTokens, config.maxLength - PROMPT);
  let text = "";
  const pieces = generator.generate(tokenizer.encode(prompt), { ...SAMPLE, tokenizer, maxTokens });
  let ends = Number.POSITIVE_INFINITY;
  for await (const piece of pieces) {
    text += piece.text;
    ends = Math.min(ends, performance.now() + 1000 * SAMPLE_TIME);
    if (performance.now() > ends) break;
  }
  return text;
}
