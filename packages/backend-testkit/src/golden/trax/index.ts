import { type GoldenCase, Unsupported } from "../case.ts";
import type { Trial } from "../checks.ts";
import { Given, type Tolerances } from "../given.ts";
import { numberedSourceCase } from "./encoder-decoder.ts";
import { languageModelCase } from "./language-model.ts";
import { type Adapter, layerAdapters } from "./layers.ts";
import { optimizerNames, optimizerTrial } from "./optimizers.ts";

/**
 * README.md of the cases: outputs to 1e-5 of the largest, gradients to 1e-4. No gradient is held to less than a hundredth
 * of the case's largest: some vanish in exact arithmetic (the bias of keys adds the same to all scores of a query), and
 * what is stored of them is rounding.
 */
const tolerances: Tolerances = {
  output: { ofLargest: 1e-5 },
  gradient: (largest) => ({ ofLargest: 1e-4, scale: 1e-2 * largest }),
};

/**
 * A whole Terraformer is 16 branches deep, and both streams are added up in each: in float32 its logits differ by 2e-5 of the largest from
 * what they are in float64, whoever computes them.
 */
const ofDepth: Tolerances = { ...tolerances, output: { ofLargest: 5e-5 } };

const adapters: Readonly<Record<string, Adapter>> = {
  ...layerAdapters,
  ConfigurableTerraformer: numberedSourceCase("terraformer"),
  ConfigurableTransformer: numberedSourceCase("transformer"),
  ConfigurableTransformerLM: languageModelCase,
};

/**
 * A case that Trax made, in our layers. Everything comes from the file: the layer from `source`, its options from
 * `arguments` and `mode`, sizes from shapes.
 *
 * @throws Unsupported where our layers do not have what it takes.
 */
export function traxTrial(golden: GoldenCase): Trial {
  const source = golden.metadata.source ?? "";
  if (optimizerNames.includes(source)) return optimizerTrial(golden);
  const adapter = Object.hasOwn(adapters, source) ? adapters[source] : undefined;
  if (!adapter) throw new Unsupported(`the layer ${source}`);
  const allowed = source === "ConfigurableTerraformer" ? ofDepth : tolerances;
  const given = new Given(golden, golden.metadata.arguments, allowed);
  return given.trial(adapter(given));
}
