import { type GoldenCase, Unsupported } from "../case.ts";
import type { Trial } from "../checks.ts";
import { Given } from "./given.ts";
import { languageModelCase } from "./language-model.ts";
import { type Adapter, layerAdapters } from "./layers.ts";
import { isOptimizer, optimizerTrial } from "./optimizers.ts";

const adapters: Readonly<Record<string, Adapter>> = { ...layerAdapters, ConfigurableTransformerLM: languageModelCase };

/**
 * A case that Trax made, in our layers. Everything comes from the file: the layer from `source`, its options from
 * `arguments` and `mode`, sizes from shapes.
 *
 * @throws Unsupported where our layers do not have what it takes.
 */
export function traxTrial(golden: GoldenCase): Trial {
  const source = golden.metadata.source ?? "";
  if (isOptimizer(source)) return optimizerTrial(golden);
  const adapter = Object.hasOwn(adapters, source) ? adapters[source] : undefined;
  if (!adapter) throw new Unsupported(`the layer ${source}`);
  const given = new Given(golden);
  return given.trial(adapter(given));
}
