import type { ModelConfig } from "./config.ts";
import { type EncoderDecoderConfig, encoderDecoder } from "./encoder-decoder.ts";
import type { LanguageModel } from "./language-model.ts";
import type { ConfigWith, OwnLayers } from "./parts.ts";
import { scalingLM } from "./scaling-lm.ts";
import { type TerraformerConfig, terraformer } from "./terraformer.ts";

/**
 * The model of a config: a {@link scalingLM}, or with an encoder a {@link terraformer} or an {@link encoderDecoder}.
 *
 * @param own layers that do not come with the package, which the config may choose by their names.
 * @throws FinegrainError where parts of the config do not fit.
 */
export function modelOf<const O extends OwnLayers = Record<never, never>>(
  given: ConfigWith<O>,
  own?: O,
): LanguageModel {
  const config = given as ModelConfig; // own layers are known by the names in `own`, which each part looks up
  // By the encoder's type, which the models' own checks look at again.
  if (config.encoder?.type === "terraformer") return terraformer(config as TerraformerConfig, own);
  if (config.encoder) return encoderDecoder(config as EncoderDecoderConfig, own);
  return scalingLM(given, own);
}
