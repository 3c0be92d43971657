import type { Tensor } from "@finegrain/graph";
import type { Context } from "../context.ts";
import type { CacheTree, Params, Tree, Weights } from "../layer.ts";
import type { ModelConfig } from "./config.ts";

/** What reads the source that a model's texts follow. Sources are padded at their end with the token {@link PADDING}. */
export interface SourceReader<P extends Params = Params> {
  /** The longest source, in tokens. */
  readonly maxLength: number;
  /** What is kept of a source that is padded to `capacity` tokens. */
  memory(batch: number, capacity: number): CacheTree;
  /**
   * Read a source once, in evaluation.
   *
   *   source  int32 [batch, capacity]
   *
   * @throws FinegrainError where it is longer than `maxLength`.
   */
  encode(w: Weights<P>, source: Tensor): Tree<Tensor>;
  /**
   * Of a model whose text stands behind the source in one sequence: the caches with `count` more of the source's vectors, those from
   * `start` on, int32 []. Absent where a text only looks at the memory.
   */
  read?(
    w: Weights<P>,
    memory: Tree<Tensor>,
    caches: Tree<Tensor>,
    start: Tensor,
    count: number,
  ): { readonly caches: Tree<Tensor> };
}

/** The token that is no token: what sources and targets are filled up with, and what a text that follows a source begins with. */
export const PADDING = 0;

/** Tokens that stand for no text: what ends sources and targets, and what stands for a span that a source is without. */
export interface SourceTokens {
  readonly end: number;
  /** The first of `sentinels`. */
  readonly sentinel: number;
  readonly sentinels: number;
}

/** A language model as training and generation see it. */
export interface LanguageModel<P extends Params = Params> {
  readonly config: ModelConfig;
  readonly params: P;
  /** Whether a parameter is trained, by its path. Absent where all are. */
  isTrained?(path: string): boolean;
  /** Of a model whose texts follow a source. */
  readonly source?: SourceReader<P>;
  /**
   * Logits of the token after each of `tokens`, which are not shifted; of a masked language model, of each token itself.
   *
   *   tokens   int32    [batch, time]; where there is a source, [batch, source.maxLength + time]: the source, padded, comes first
   *   returns  float32  [batch, time, vocabulary]
   *
   * @throws FinegrainError where `time` is more than the config's `maxLength`.
   */
  logits(w: Weights<P>, tokens: Tensor, context: Context): Tensor;
  /** What a stream of at most `capacity` tokens needs between steps, behind a source that is padded to `source`. All start as zeros. */
  caches(batch: number, capacity: number, source?: number): CacheTree;
  /**
   * The next tokens of a stream, in evaluation.
   *
   *   tokens    int32    [batch, new]      one, or the next chunk of a prompt
   *   position  int32    []                tokens that are cached already, without those of a source; of each stream for itself, [batch]
   *   memory                               what `source.encode` made, where there is a source
   *   logits    float32  [batch, vocabulary]  of the token after the last of them
   *
   * @param every whether to give the logits after each of them, float32 [batch, new, vocabulary]. Default false.
   * @throws FinegrainError where the model is a masked one, which has no decode.
   */
  decode(
    w: Weights<P>,
    tokens: Tensor,
    caches: Tree<Tensor>,
    position: Tensor,
    memory?: Tree<Tensor>,
    every?: boolean,
  ): { readonly logits: Tensor; readonly caches: Tree<Tensor> };
}
