import { FinegrainError, type HostTensor } from "@finegrain/graph";
import { catalogs } from "@finegrain/nn";
import {
  type Architecture,
  type Family,
  familyOf,
  gpt2Like,
  llamaLike,
  type Rotary,
  type Routing,
} from "../architecture.ts";
import { type FieldReader, fieldReader } from "../fields.ts";
import { ARCHITECTURES, sharesSumToOne } from "./architectures.ts";
import type { GgufFile } from "./gguf-file.ts";
import type { GgufValue } from "./header.ts";

/** Divisors of the rates of pairs: how llama.cpp has the scaling "llama3". */
const RATES = "rope_freqs.weight";
/** What "llama3" is in every model that was published. */
const LLAMA3 = { lowFrequency: 1, highFrequency: 4, trainedLength: 8192 };

/** Families by llama.cpp's names; which Llama's models have experts, their files say. */
const NAMES: ReadonlyMap<string, Family> = new Map(
  [...ARCHITECTURES].filter(([family]) => family !== "mixtral").map(([family, name]) => [name, family]),
);

/**
 * What the metadata of a GGUF file says.
 * @throws FinegrainError where it lacks something, or the model is one that is not known.
 */
export async function readGgufConfig(file: GgufFile): Promise<Architecture> {
  const { path, metadata, types } = file;
  const name = metadata.get("general.architecture");
  const known = familyOf(name, NAMES, path);
  // Of the fields' names too, as a prefix.
  const fields = fieldReader((field) => shortest(metadata.get(`${name}.${field}`)), path, `${name}.`);
  const table = types.get("token_embd.weight");
  if (table === undefined) throw new FinegrainError(`${path} has no tensor "token_embd.weight"`);
  const common = {
    vocabulary: table.shape[0]!,
    dModel: fields.whole("embedding_length"),
    layers: fields.whole("block_count"),
    heads: fields.whole("attention.head_count"),
    maxLength: fields.whole("context_length"),
    tied: !types.has("output.weight"),
  };
  if (known === "gpt2")
    return gpt2Like({
      ...common,
      dFf: fields.whole("feed_forward_length"),
      epsilon: fields.number("attention.layer_norm_epsilon"),
      activation: "gelu_new",
    });
  const { dModel, heads } = common;
  const headWidth = fields.whole("attention.key_length", dModel / heads);
  if (fields.whole("attention.value_length", headWidth) !== headWidth)
    throw new FinegrainError(`${path}: values of another width than keys are not known`);
  if (fields.whole("rope.dimension_count", headWidth) !== headWidth)
    throw new FinegrainError(`${path}: heads of which only a part turns are not known`);
  const hasBias = (part: string) => types.has(`blk.0.attn_${part}.bias`);
  const isOfExperts = metadata.has(`${name}.expert_count`);
  const family = known === "llama" && isOfExperts ? "mixtral" : known;
  return llamaLike({
    ...common,
    family,
    dFf: isOfExperts
      ? fields.whole(
          "expert_feed_forward_length",
          family.startsWith("qwen") ? undefined : fields.whole("feed_forward_length"),
        )
      : fields.whole("feed_forward_length"),
    kvHeads: fields.whole("attention.head_count_kv", heads),
    headWidth,
    window: metadata.has(`${name}.attention.sliding_window`) ? fields.whole("attention.sliding_window") : undefined,
    epsilon: fields.number("attention.layer_norm_rms_epsilon"),
    rotary: await rotaryOf(file, fields, headWidth),
    attentionBias: hasBias("output") ? "all" : hasBias("q") ? "qkv" : "none",
    routing: isOfExperts ? routingOf(family, fields) : undefined,
  });
}

/** How tokens go to experts: what these count is said by the family alone. */
const routingOf = (family: Family, fields: FieldReader): Routing => ({
  experts: fields.whole("expert_count"),
  k: fields.whole("expert_used_count"),
  normalizeChosen: sharesSumToOne(family),
  ...(family === "qwen2_moe" && { sharedUnits: fields.whole("expert_shared_feed_forward_length") }),
});

/** A float32 as whoever made the file wrote it: 1e-5, and not 0.000009999999747378752. */
function shortest(value: GgufValue | undefined): GgufValue | undefined {
  if (typeof value !== "number" || Number.isInteger(value)) return value;
  const digits = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((count) => Number(value.toPrecision(count)));
  return digits.find((shown) => Math.fround(shown) === value) ?? value;
}

async function rotaryOf(file: GgufFile, fields: FieldReader, headWidth: number): Promise<Rotary> {
  const { path, types } = file;
  const base = fields.number("rope.freq_base", 10_000);
  const scaling = fields.text("rope.scaling.type") ?? "none";
  if (types.has(RATES)) return llama3(await file.read(RATES), base, headWidth, path);
  if (scaling === "none") return { base };
  if (scaling === "linear") return { base, scaling, factor: fields.number("rope.scaling.factor") };
  throw new FinegrainError(`${path}: the rope scaling "${scaling}" is not known: known are none, linear`);
}

/** The scaling whose divisors these are. @throws FinegrainError where they are those of another. */
function llama3(divisors: HostTensor, base: number, headWidth: number, path: string): Rotary {
  const data = Array.from(divisors.data);
  const factor = Math.max(1, ...data);
  const scaled: Rotary = { base, scaling: "llama3", factor, ...LLAMA3 };
  const ratesOf = (options: Rotary) =>
    catalogs.positions.rotary({ dModel: headWidth, heads: 1, maxLength: 1, ...options }).rotary!; // it turns
  const pairs = headWidth / 2;
  const [plain, slowed] = [ratesOf({ base }), ratesOf(scaled)];
  const isLlama3 =
    data.length === pairs &&
    data.every((divisor, pair) => Math.abs((divisor * slowed(pair, pairs)) / plain(pair, pairs) - 1) < 1e-4);
  if (!isLlama3) throw new FinegrainError(`${path}: tensor "${RATES}" has rates of a rope scaling that is not known`);
  return scaled;
}
