import type { EncoderConfig } from "@finegrain/nn";
import { type InTraining, type ModelOptions, type PartialConfig, type RunSizes, SPEECHES } from "@finegrain/runs";
import { modelDefaults, trainingDefaults, widthAndHeads } from "@finegrain/runs/defaults";
import type { Values } from "../../arguments.ts";
import { UsageError } from "../../exit.ts";
import { fieldsOf } from "../given-text.ts";
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
  if (flags.pairs && (flags.data ?? file.data) === undefined) throw new UsageError("--pairs needs --data");
  const training = trainingOptions(flags, file.training ?? {});
  const model = (sizes: RunSizes) => modelOptions(flags, file.model ?? {}, sizes);
  model({ ...modelDefaults, ...trainingDefaults }); // refuses what contradicts itself at any size
  return {
    model,
    training,
    tokenizer: flags.tokenizer ?? file.tokenizer ?? "byte",
    data: flags.data ?? file.data ?? SPEECHES,
    // A file's fields are of the file's data.
    fields:
      flags.data === undefined && !flags.pairs
        ? { field: flags["text-field"] ?? file.textField, sourceField: file.sourceField }
        : fieldsOf(flags["text-field"], flags.pairs),
  };
}

/** The encoder that flags ask for, over the file's. @throws UsageError where a flag is of another kind of model. */
function behindSource(flags: Flags, { encoder: own }: ModelOptions): Pick<ModelOptions, "encoder"> {
  const asked = given({
    maxLength: flags["source-length"],
    layers: flags["encoder-layers"],
    attention: attentionNamed(flags["encoder-attention"]),
    textAttentions: flags["text-attentions"],
    bothStreams: flags["both-streams"] || undefined,
    forgetEvery: flags["forget-every"],
  });
  const type =
    flags.model === "encoder-decoder" ? "transformer" : flags.model === "terraformer" ? "terraformer" : own?.type;
  if (type !== undefined) return { encoder: { ...own, ...asked, type } };
  if (Object.keys(asked).length > 0)
    throw new UsageError(
      "a source is read by --model terraformer or encoder-decoder: there is no encoder without them",
    );
  return {};
}

/** The model checks the name. */
const attentionNamed = (name: string | undefined): EncoderConfig["attention"] =>
  name === undefined ? undefined : ({ type: name } as EncoderConfig["attention"]);

/** What changes a model's training, and nothing else. */
export const inTraining = (flags: Flags): InTraining =>
  given({
    dropout: flags.dropout,
    attentionDropout: flags["attention-dropout"],
    feedForwardChunk: flags["feed-forward-chunk"],
  });

const UNITS = 32;

/** @throws UsageError where there are features of units that are not there. */
function recurrent(flags: Flags): Pick<ModelOptions, "recurrence"> {
  const { "recurrent-layers": layers, "recurrent-units": units } = flags;
  if (layers !== undefined) return { recurrence: { layers, units: units ?? UNITS } };
  if (units !== undefined) throw new UsageError("--recurrent-units needs --recurrent-layers");
  return {};
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
    ...behindSource(flags, own),
    ...recurrent(flags),
    ...inTraining(flags),
    ...layersFromFlags(flags, { dModel, heads, batch }, Object.keys(file).length > 0),
  };
}
