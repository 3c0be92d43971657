import { FinegrainError } from "@finegrain/graph";
import { catalogs, hiddenUnits, type ModelConfig } from "@finegrain/nn";
import { type Family, NORM_EPSILON } from "../architecture.ts";
import { ARCHITECTURES, sharesSumToOne } from "./architectures.ts";
import type { GgufEntry } from "./chunks.ts";

/**
 * What llama.cpp needs to know of a model of a family that transformers has.
 * @throws FinegrainError that says what about it llama.cpp has not.
 */
export function metadataOfModel(model: ModelConfig, family: Family): Map<string, GgufEntry> {
  const architecture = ARCHITECTURES.get(family);
  if (architecture === undefined) throw new FinegrainError(`llama.cpp has no family "${family}"`);
  const own = family === "gpt2" ? ofGpt2(model) : ofLlama(model, family);
  const entries: [string, GgufEntry][] = [
    ["context_length", ["uint32", model.maxLength]],
    ["embedding_length", ["uint32", model.dModel]],
    ["block_count", ["uint32", model.layers]],
    ["attention.head_count", ["uint32", model.heads]],
    ["vocab_size", ["uint32", model.vocabulary]],
    ...own,
  ];
  return new Map([
    ["general.architecture", ["string", architecture]],
    ...entries.map(([name, entry]): [string, GgufEntry] => [`${architecture}.${name}`, entry]),
  ]);
}

type Entries = readonly (readonly [string, GgufEntry])[];
/** A part as it is written with options; families have no other in these places. */
type Options = Readonly<Record<string, number | string | boolean | undefined>>;
const optionsOf = (part: unknown): Options => (typeof part === "object" ? (part as Options) : {});

const epsilonOf = ({ norm }: ModelConfig): number => Number(optionsOf(norm).epsilon ?? NORM_EPSILON);

function ofGpt2(model: ModelConfig): [string, GgufEntry][] {
  const activation = optionsOf(model.feedForward).activation ?? model.activation ?? "relu";
  if (activation !== "fastGelu")
    throw new FinegrainError(`llama.cpp has GPT-2's units with the activation fastGelu alone, not ${activation}`);
  return [
    ["feed_forward_length", ["uint32", hiddenUnits(model)]],
    ["attention.layer_norm_epsilon", ["float32", epsilonOf(model)]],
  ];
}

function ofLlama(model: ModelConfig, family: Family): [string, GgufEntry][] {
  const { heads, feedForward } = model;
  const { kvHeads = heads } = optionsOf(model.attention);
  const headWidth = headWidthOf(model);
  const { base = 10_000, scaling = "none", factor } = optionsOf(model.positions);
  const linear: Entries = [
    ["rope.scaling.type", ["string", "linear"]],
    ["rope.scaling.factor", ["float32", Number(factor)]],
  ];
  const experts = feedForward?.type === "token-choice" ? feedForward : undefined;
  if (family === "olmoe" && kvHeads !== heads)
    throw new FinegrainError("llama.cpp has models of olmoe with as many heads of keys as of queries alone");
  const units = hiddenUnits(model) / (experts?.experts ?? 1);
  return [
    ["feed_forward_length", ["uint32", units]],
    ["attention.head_count_kv", ["uint32", Number(kvHeads)]],
    ["attention.key_length", ["uint32", headWidth]],
    ["attention.value_length", ["uint32", headWidth]],
    ["attention.layer_norm_rms_epsilon", ["float32", epsilonOf(model)]],
    ["rope.dimension_count", ["uint32", headWidth]],
    ["rope.freq_base", ["float32", Number(base)]],
    ...(scaling === "linear" ? linear : []),
    ...(experts ? ofExperts(experts, family, units) : []),
  ].map(([name, entry]) => [name as string, entry as GgufEntry]);
}

type Experts = Extract<ModelConfig["feedForward"], { readonly type: "token-choice" }>;

function ofExperts(experts: Experts, family: Family, units: number): Entries {
  const { k = 1, normalizeChosen = false, sharedUnits } = experts;
  const expected = sharesSumToOne(family);
  if (normalizeChosen !== expected)
    throw new FinegrainError(
      `llama.cpp has models of ${family} whose experts' shares ${expected ? "sum to 1" : "are as they are"} alone`,
    );
  return [
    ["expert_count", ["uint32", experts.experts]],
    ["expert_used_count", ["uint32", k]],
    ["expert_feed_forward_length", ["uint32", units]],
    ...(sharedUnits === undefined
      ? []
      : ([["expert_shared_feed_forward_length", ["uint32", sharedUnits]]] satisfies Entries)),
  ];
}

/** Features of a head. */
export const headWidthOf = ({
  dModel,
  heads,
  attention,
}: Pick<ModelConfig, "dModel" | "heads" | "attention">): number =>
  Number(optionsOf(attention).headWidth ?? dModel / heads);

/** What llama.cpp divides the rates of pairs by, where positions are scaled as Llama 3's: it has no other way to say so. */
export function ropeDivisors(model: ModelConfig): Float32Array | undefined {
  const { type: _, ...options } = optionsOf(model.positions);
  if (options.scaling !== "llama3") return undefined;
  const width = headWidthOf(model);
  const ratesOf = (own: object) => catalogs.positions.rotary({ dModel: width, heads: 1, maxLength: 1, ...own }).rotary!; // it turns
  const [plain, scaled] = [ratesOf({ base: options.base }), ratesOf(options)];
  const pairs = width / 2;
  return Float32Array.from({ length: pairs }, (_, pair) => plain(pair, pairs) / scaled(pair, pairs));
}
