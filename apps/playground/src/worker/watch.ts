import { add, type Backend, FinegrainError, graph, hostTensor, input } from "@finegrain/graph";
import type { Job } from "../protocol.ts";
import { openEngine } from "./open-engine.ts";
import { openModel } from "./open-model.ts";
import { Racer, race } from "./race.ts";
import type { WatchedModel } from "./watched-model.ts";

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
  const { backend, models } = opened ?? {};
  if (backend === undefined || models === undefined) throw new FinegrainError("no model is open: open one first");
  const racers = wanted.map((place) => {
    const model = models[place];
    if (model === undefined)
      throw new FinegrainError(`there is no model ${place} among the ${models.length} that are open`);
    const ids = model.tokenizer.encode(prompt);
    if (ids.length === 0) throw new FinegrainError("the prompt is empty: there is nothing to go on from");
    return new Racer(place, model.write(ids, sampling), model.tokenizer, maxTokens, tell);
  });
  const one = input([], "int32", "one");
  using last = await backend.compile(graph({ name: "last", inputs: { one }, outputs: { two: add(one, 1) } }));
  /** Runs are done in the order in which they are asked for: when the one that is asked for now is done, all are. */
  const idle = async () => {
    using one = backend.upload(hostTensor("int32", [], [1]));
    using two = last.run({ one }).two;
    await two.read();
  };
  await race(racers, idle, signal);
  return undefined;
};
