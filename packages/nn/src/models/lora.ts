import {
  add,
  einsum,
  FinegrainError,
  type HostTensor,
  hostTensor,
  mul,
  type Tensor,
  type Turns,
} from "@finegrain/graph";
import { normal, zeros } from "../init.ts";
import { leaves, type Param, type Params, param, type Weights } from "../layer.ts";
import type { LanguageModel } from "./language-model.ts";
import { LORA_MATRICES, type LoraConfig } from "./lora-config.ts";

/** How much the product of the two narrow matrices counts. */
const scaleOf = ({ rank, alpha = 2 * rank }: LoraConfig): number => alpha / rank;

/** The name under which the two narrow matrices stand beside a kernel. */
const NAME = "lora";

/** A tree of parameters in which some kernels have narrow matrices beside them. */
interface Adapted {
  readonly kernel?: Tensor;
  readonly [NAME]?: { readonly a: Tensor; readonly b: Tensor };
}

/**
 * A model each of whose chosen kernels W is W + alpha / rank · A·B, with A and B trained and nothing else. B starts as zeros: the
 * model starts as it was.
 *
 * @throws FinegrainError where it has none of the matrices.
 */
export function withLora<P extends Params>(model: LanguageModel<P>, config: LoraConfig): LanguageModel<Params> {
  const blocks = model.params.blocks as Params; // a model of blocks
  const params: Params = { ...model.params, blocks: adapted(blocks, config) };
  if (!leaves<Param>(params).some(([path]) => isLora(path)))
    throw new FinegrainError(
      `model config: no block has any of lora.matrices ${(config.matrices ?? LORA_MATRICES).join(", ")}`,
    );
  const merged = (w: Weights<Params>): Weights<P> =>
    ({ ...w, blocks: mergedTree(w.blocks as TensorTree, scaleOf(config)) }) as unknown as Weights<P>; // the same tree, with other kernels
  return {
    ...model,
    params,
    isTrained: isLora,
    logits: (w, tokens, context) => model.logits(merged(w), tokens, context),
    decode: (w, ...given) => model.decode(merged(w), ...given),
  };
}

/** Whether a path is of one of the two narrow matrices. */
const isLora = (path: string): boolean => /\.lora\.[ab]$/.test(path);

function adapted(params: Params, config: LoraConfig): Params {
  const { rank, matrices = LORA_MATRICES } = config;
  return Object.fromEntries(
    Object.entries(params).map(([name, own]) => {
      if (isParam(own)) return [name, own];
      const kernel = own.kernel as Param | undefined; // of matrices, what is called so is one
      const isChosen = matrices.some((chosen) => chosen === name) && kernel?.shape.length === 2;
      if (!isChosen) return [name, adapted(own, config)];
      const [rows, columns] = kernel.shape as [number, number];
      const narrow = { a: param([rows, rank], normal(rows ** -0.5)), b: param([rank, columns], zeros) };
      return [name, { ...own, [NAME]: narrow }];
    }),
  );
}

const isParam = (x: Param | Params): x is Param => Array.isArray(x.shape);

interface TensorTree {
  readonly [name: string]: Tensor | TensorTree;
}

/** The tree with every kernel and what is beside it as one kernel. */
function mergedTree(w: TensorTree, scale: number): TensorTree {
  return Object.fromEntries(
    Object.entries(w).map(([name, own]) => {
      if ("dtype" in own) return [name, own];
      const { lora, ...rest } = own as TensorTree & Adapted; // as `adapted` made it
      if (lora === undefined) return [name, mergedTree(rest, scale)];
      // The factor is with the narrow matrix, so that nothing stands between the products.
      const product = einsum(mul(lora.a, scale), lora.b, "I R, R O -> I O");
      return [name, { ...rest, kernel: add(rest.kernel as Tensor, product) }];
    }),
  );
}

/** The weights of the model without narrow matrices, each product of them added to its kernel; in turns. */
export function* mergingLora(
  config: LoraConfig,
  weights: ReadonlyMap<string, HostTensor>,
): Turns<Map<string, HostTensor>> {
  const merged = new Map([...weights].filter(([path]) => !isLora(path)));
  for (const [path, a] of weights) {
    if (!path.endsWith(".lora.a")) continue;
    const own = path.slice(0, -".lora.a".length);
    const [kernel, b] = [weights.get(`${own}.kernel`)!, weights.get(`${own}.lora.b`)!]; // which stand beside it
    merged.set(`${own}.kernel`, yield* sumOf(kernel, a, b, scaleOf(config)));
  }
  return merged;
}

/** W + scale · A·B. */
function* sumOf(w: HostTensor, a: HostTensor, b: HostTensor, scale: number): Turns<HostTensor> {
  const [rows, columns] = w.shape as [number, number];
  const rank = a.shape[1]!;
  const sum = Float32Array.from(w.data);
  for (let row = 0; row < rows; row++) {
    for (let r = 0; r < rank; r++) {
      const factor = scale * a.data[row * rank + r]!;
      for (let column = 0; column < columns; column++)
        sum[row * columns + column]! += factor * b.data[r * columns + column]!;
    }
    yield;
  }
  return hostTensor("float32", w.shape, sum);
}
