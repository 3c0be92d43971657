import type { HostTensor } from "@finegrain/graph";
import { endingOf, type ModelEnding, modelOf, type OwnLayers } from "@finegrain/nn";
import type { RunConfig } from "./config.ts";
import type { Checkpoint } from "./folder/checkpoint.ts";
import { type Outcome, runTraining, type TrainingInput } from "./training-loop.ts";

/** A run whose model may end its training as another one of the same weights. */
export interface StagedInput extends Omit<TrainingInput, "model" | "until"> {
  /** Layers that the config chooses beside those that come along. */
  readonly layers: OwnLayers;
}

/** What a training came to. */
export interface Trained {
  readonly outcome: Outcome;
  readonly checkpoint: Checkpoint;
  /** Of the model that it ended as. */
  readonly config: RunConfig;
}

/**
 * Train a run: its model, and behind `transition` steps before the end what that ends its training as.
 *
 * @throws FinegrainError as {@link runTraining}.
 */
export async function trainInStages({ layers, ...input }: StagedInput): Promise<Trained> {
  const { config, checkpoint } = input;
  const ending = endingOf(config.model, layers);
  const { steps, transition = 0 } = config.training;
  const until = ending ? Math.ceil(steps * (1 - transition)) : steps;
  const done = checkpoint?.step ?? 0;
  const first =
    done < until || until === steps
      ? await runTraining({ ...input, until, model: modelOf(config.model, layers) })
      : undefined;
  const reached = first?.checkpoint ?? checkpoint!; // where nothing was trained, that much was done before
  if (ending === undefined || until === steps || first?.outcome.interrupted) return { ...first!, config };
  const own = { ...config, model: ending.config };
  const { begin: _begin, onStart, ...rest } = input;
  const last = await runTraining({
    ...rest,
    // A run that begins is told of once.
    ...(first === undefined && { onStart }),
    config: own,
    checkpoint: renamed(reached, ending),
    until: steps,
    model: modelOf(own.model, layers),
  });
  return { ...last, config: own };
}

/** A checkpoint under the names of what the model ends as. */
function renamed(checkpoint: Checkpoint, { rename }: ModelEnding): Checkpoint {
  const named = <V>(values: ReadonlyMap<string, V>) =>
    new Map([...values].map(([name, value]) => [rename(name), value]));
  const read = (tensors: Promise<ReadonlyMap<string, HostTensor>>) => tensors.then(named);
  return {
    ...checkpoint,
    modelTypes: named(checkpoint.modelTypes),
    optimizerTypes: named(checkpoint.optimizerTypes),
    readModel: () => read(checkpoint.readModel()),
    readOptimizer: () => read(checkpoint.readOptimizer()),
    ...(checkpoint.modelTensors && { modelTensors: named(checkpoint.modelTensors) }),
  };
}
