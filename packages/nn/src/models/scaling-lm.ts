import { FinegrainError, type Tensor, type TensorType } from "@finegrain/graph";
import type { CacheTree, Layer, Tree } from "../layer.ts";
import { type BlockParams, block } from "../layers/block.ts";
import { type FilterOf, filtersOf, layerFilters } from "./active-inputs-config.ts";
import { checkConfig, type ModelConfig } from "./config.ts";
import { type EndsParams, endsOf } from "./ends.ts";
import type { LanguageModel } from "./language-model.ts";
import { withLora } from "./lora.ts";
import {
  attentionOf,
  type ConfigWith,
  endingOf,
  feedForwardOf,
  normOf,
  type OwnLayers,
  recurrenceOf,
} from "./parts.ts";
import { graduatedConfig, isStudent, taught } from "./students.ts";

export type LanguageModelParams = EndsParams & {
  /** Blocks by number: "0", "1", ... */
  readonly blocks: Readonly<Record<string, BlockParams>>;
};

/**
 * The Scaling Transformer as a language model: pre-norm blocks in which every part may be sparse.
 *
 * Jaszczur et al. 2021; Trax `ConfigurableTransformerLM` without its shift of tokens. Each of `feedForward`, `attention`
 * and `loss` of the config turns one sparse part on; without them it is the dense baseline. With the objective "masked" it is
 * BERT's encoder instead, with the token `vocabulary` for what is hidden.
 *
 * @param own layers that do not come with the package, which the config may choose by their names.
 * @throws FinegrainError where parts of the config do not fit, or it has an encoder.
 */
export function scalingLM<const O extends OwnLayers = Record<never, never>>(
  given: ConfigWith<O>,
  own?: O,
): LanguageModel<LanguageModelParams> {
  const config = given as ModelConfig; // own layers are known by the names in `own`, which each part looks up
  checkConfig(config);
  if (config.encoder) throw new FinegrainError("model config: a language model alone has no encoder");
  const model = filteredLM(config, own, filtersOf(config));
  // With more parameters below those of its blocks, whose types say nothing of what is in them.
  return config.lora ? (withLora(model, config.lora) as LanguageModel<LanguageModelParams>) : model;
}

/** The model whose weights are all trained, and whose dense matrices are multiplied with what filters leave of their inputs. */
export function filteredLM(
  config: ModelConfig,
  own: OwnLayers | undefined,
  filterOf: FilterOf,
): LanguageModel<LanguageModelParams> {
  const { layers } = config;
  const isMasked = config.objective === "masked";
  const ends = endsOf(config, own);
  const blockAt = (i: number) => {
    const filters = layerFilters(filterOf, i);
    const feedForward = feedForwardOf(config, own, filters.feedForward);
    const graduated = config.student && feedForwardOf(graduatedConfig(config), own);
    const parts = {
      norm: normOf(config, own),
      attention: attentionOf(config, own, filters.attention),
      feedForward: graduated ? taught(feedForward, graduated) : feedForward,
      recurrence: recurrenceOf(config, own),
      dropout: config.dropout,
    };
    if (!isMasked) expectCausal(graduatedConfig(config), parts.feedForward);
    return block(parts);
  };
  if (config.student && endingOf(graduatedConfig(config), own))
    throw new FinegrainError(
      `model config: a student cannot be ${config.student.feedForward.type}, which ends its training as another layer`,
    );
  const all = Array.from({ length: layers }, (_, i) => [`${i}`, blockAt(i)] as const);
  const { embedding, positions, ...behind } = ends.params;

  return {
    config,
    ...(config.student && { isTrained: isStudent }),
    params: {
      embedding,
      ...(positions ? { positions } : {}),
      blocks: Object.fromEntries(all.map(([name, one]) => [name, one.params])),
      ...behind,
    },
    logits(w, tokens, context) {
      const x = all.reduce((h, [name, one]) => one.apply(w.blocks[name]!, h, context), ends.begin(w, tokens, context));
      return ends.logits(w, x, context);
    },
    caches: (batch, capacity): CacheTree => ({
      blocks: Object.fromEntries(all.map(([name, one]) => [name, one.caches(batch, capacity)])) as Tree<TensorType>,
    }),
    decode(w, tokens, caches, position, _memory, every) {
      if (isMasked) throw new FinegrainError("a masked language model has no decode: it sees tokens on both sides");
      let x = ends.beginAt(w, tokens, position);
      // The tree is the one that `caches` describes.
      const { blocks } = caches as { readonly blocks: Record<string, Record<string, Tensor>> };
      const next: Record<string, Readonly<Record<string, Tensor>>> = {};
      for (const [name, one] of all) {
        const step = one.decode(w.blocks[name]!, x, blocks[name]!, position);
        x = step.y;
        next[name] = step.caches;
      }
      return { logits: ends.decoded(w, x, every), caches: { blocks: next } };
    },
  };
}

/** @throws FinegrainError where a token's output depends on later ones, or cannot be decoded. */
export function expectCausal({ feedForward }: ModelConfig, { notCausal, noDecode }: Layer): void {
  const reason = notCausal ?? noDecode;
  if (reason !== undefined)
    throw new FinegrainError(
      `model config: the feed-forward layer ${feedForward?.type} with these options cannot be in a causal language model: ${reason}`,
    );
}
