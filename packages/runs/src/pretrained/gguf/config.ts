import { FinegrainError, type HostTensor } from "@finegrain/graph";
import { catalogs } from "@finegrain/nn";
import { type Architecture, expectFamily, type Rotary } from "../architecture.ts";
import { fieldReader } from "../fields.ts";
import type { GgufFile } from "./gguf-file.ts";
import type { GgufValue } from "./header.ts";

/** Divisors of the rates of pairs: how llama.cpp has the scaling "llama3". */
const RATES = "rope_freqs.weight";
/** What "llama3" is in every model that was published. */
const LLAMA3 = { lowFrequency: 1, highFrequency: 4, trainedLength: 8192 };

/**
 * What the metadata of a GGUF file says.
 * @throws FinegrainError where it lacks something, or the model is one that is not known.
 */
export async function readGgufConfig(file: GgufFile): Promise<Architecture> {
  const { path, metadata, types } = file;
  const family = expectFamily(metadata.get("general.architecture"), path);
  const fields = fieldReader((name) => shortest(metadata.get(name)), path);
  const of = (name: string) => `${family}.${name}`;
  const [dModel, heads] = [fields.whole(of("embedding_length")), fields.whole(of("attention.head_count"))];
  const headWidth = fields.whole(of("attention.key_length"), dModel / heads);
  if (fields.whole(of("attention.value_length"), headWidth) !== headWidth)
    throw new FinegrainError(`${path}: values of another width than keys are not known`);
  if (fields.whole(of("rope.dimension_count"), headWidth) !== headWidth)
    throw new FinegrainError(`${path}: heads of which only a part turns are not known`);
  const table = types.get("token_embd.weight");
  if (table === undefined) throw new FinegrainError(`${path} has no tensor "token_embd.weight"`);
  const bias = (part: string) => types.has(`blk.0.attn_${part}.bias`);
  return {
    family,
    vocabulary: table.shape[0]!,
    dModel,
    dFf: fields.whole(of("feed_forward_length")),
    layers: fields.whole(of("block_count")),
    heads,
    kvHeads: fields.whole(of("attention.head_count_kv"), heads),
    headWidth,
    maxLength: fields.whole(of("context_length")),
    window: metadata.has(of("attention.sliding_window")) ? fields.whole(of("attention.sliding_window")) : undefined,
    epsilon: fields.number(of("attention.layer_norm_rms_epsilon")),
    rotary: await rotaryOf(file, family, headWidth),
    tied: !types.has("output.weight"),
    attentionBias: bias("output") ? "all" : bias("q") ? "qkv" : "none",
  };
}

/** A float32 as whoever made the file wrote it: 1e-5, and not 0.000009999999747378752. */
function shortest(value: GgufValue | undefined): GgufValue | undefined {
  if (typeof value !== "number" || Number.isInteger(value)) return value;
  const digits = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((count) => Number(value.toPrecision(count)));
  return digits.find((shown) => Math.fround(shown) === value) ?? value;
}

async function rotaryOf(file: GgufFile, family: string, headWidth: number): Promise<Rotary> {
  const { path, metadata, types } = file;
  const fields = fieldReader((name) => shortest(metadata.get(name)), path);
  const base = fields.number(`${family}.rope.freq_base`, 10_000);
  const scaling = fields.text(`${family}.rope.scaling.type`) ?? "none";
  if (types.has(RATES)) return llama3(await file.read(RATES), base, headWidth, path);
  if (scaling === "none") return { base };
  if (scaling === "linear") return { base, scaling, factor: fields.number(`${family}.rope.scaling.factor`) };
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
