import { FinegrainError } from "@finegrain/graph";
import { expectPositive } from "../config-error.ts";

/** Matrices of a block that may be adapted, by the names that they have in the layers: of attention, then of feed-forward layers. */
export const LORA_MATRICES = ["query", "key", "value", "output", "inner", "gate", "outer"] as const;
export type LoraMatrix = (typeof LORA_MATRICES)[number];

/** What is trained beside a model's weights, which stay as they are. Hu et al. 2021, "LoRA". */
export interface LoraConfig {
  /** Width of the two narrow matrices. */
  readonly rank: number;
  /** Their product counts alpha / rank. Default: twice the rank. */
  readonly alpha?: number;
  /** Which matrices have them. Default: all of {@link LORA_MATRICES} that the model has. */
  readonly matrices?: readonly LoraMatrix[];
}

/** @throws FinegrainError where an option is out of its range. */
export function checkLora({ rank, alpha, matrices = LORA_MATRICES }: LoraConfig): void {
  expectPositive("model config", "lora.rank", rank);
  if (alpha !== undefined && !(Number.isFinite(alpha) && alpha > 0))
    throw new FinegrainError(`model config: lora.alpha must be greater than 0, not ${alpha}`);
  const strange = matrices.find((name) => !LORA_MATRICES.includes(name));
  if (strange !== undefined || matrices.length === 0)
    throw new FinegrainError(
      `model config: lora.matrices must be some of ${LORA_MATRICES.join(", ")}, not ${strange === undefined ? "none" : `"${strange}"`}`,
    );
}
