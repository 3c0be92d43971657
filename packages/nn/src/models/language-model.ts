import type { Tensor } from "@finegrain/graph";
import type { Context } from "../context.ts";
import type { CacheTree, Params, Tree, Weights } from "../layer.ts";
import type { ModelConfig } from "./config.ts";

/** A language model as training and generation see it. */
export interface LanguageModel<P extends Params = Params> {
  readonly config: ModelConfig;
  readonly params: P;
  /** Whether a parameter is trained, by its path. Absent where all are. */
  isTrained?(path: string): boolean;
  /**
   * Logits of the token after each of `tokens`, which are not shifted; of a masked language model, of each token itself.
   *
   *   tokens   int32    [batch, time]
   *   returns  float32  [batch, time, vocabulary]
   *
   * @throws FinegrainError where `time` is more than the config's `maxLength`.
   */
  logits(w: Weights<P>, tokens: Tensor, context: Context): Tensor;
  /** What a stream of at most `capacity` tokens needs between steps. All start as zeros. */
  caches(batch: number, capacity: number): CacheTree;
  /**
   * The next tokens of a stream, in evaluation.
   *
   *   tokens    int32    [batch, new]      one, or the next chunk of a prompt
   *   position  int32    []                tokens that are cached already
   *   logits    float32  [batch, vocabulary]  of the token after the last of them
   *
   * @throws FinegrainError where the model is a masked one, which has no decode.
   */
  decode(
    w: Weights<P>,
    tokens: Tensor,
    caches: Tree<Tensor>,
    position: Tensor,
  ): { readonly logits: Tensor; readonly caches: Tree<Tensor> };
}
