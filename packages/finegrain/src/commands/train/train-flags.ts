import { type ModelOptions, type PartialConfig, type RunSizes, SPEECHES } from "@finegrain/runs";
import { modelDefaults, trainingDefaults, widthAndHeads } from "@finegrain/runs/defaults";
import type { Values } from "../../arguments.ts";
import type { trainFlags } from "./flags.ts";
import { layersFromFlags } from "./layer-flags.ts";
import { given, trainingOptions } from "./training-flags.ts";

type Flags = Values<typeof trainFlags>;

/**
 * What flags ask for over what the file says; the rest is left to the defaults of a run.
 *
 * @throws UsageError where flags contradict each other.
 */
export function optionsFromFlags(flags: Flags, file: PartialConfig) {
  const training = trainingOptions(flags, file.training ?? {});
  const model = (sizes: RunSizes) => modelOptions(flags, file.model ?? {}, sizes);
  model({ ...modelDefaults, ...trainingDefaults }); // refuses what contradicts itself at any size
  return {
    model,
    training,
    tokenizer: flags.tokenizer ?? file.tokenizer ?? "byte",
    data: flags.data ?? file.data ?? SPEECHES,
    // A file's field is of the file's data.
    field: flags["text-field"] ?? (flags.data === undefined ? file.textField : undefined),
  };
}

/** Vocabulary and context are the tokenizer's and the windows', whatever a file says. */
function modelOptions(flags: Flags, file: ModelOptions, { batch, ...sizes }: RunSizes): ModelOptions {
  const { vocabulary: _vocabulary, maxLength: _maxLength, ...own } = file;
  const named = { dModel: flags["d-model"] ?? own.dModel, heads: flags.heads ?? own.heads };
  const { dModel, heads } = widthAndHeads(named, sizes);
  return {
    ...own,
    dModel,
    heads,
    ...given({ dFf: flags["d-ff"], layers: flags.layers, objective: flags.objective }),
    ...layersFromFlags(flags, { dModel, heads, batch }, Object.keys(file).length > 0),
  };
}
