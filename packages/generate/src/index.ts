export { type ChatMessage, chatPrompt, type TemplateTokens } from "./chat.ts";
export {
  cacheTypes,
  type DecodeShape,
  decodeGraph,
  type Watch,
  writeGraph,
  writeTogetherGraph,
} from "./decode-graph.ts";
export { drawToken } from "./draw-token.ts";
export { createGenerator, type Draft, type Generator, type GeneratorOptions } from "./generator.ts";
export type { DrawnToken, TokenProbability } from "./likely.ts";
export {
  checkSampling,
  type DrawInputs,
  type DrawKind,
  drawInputs,
  drawKind,
  drawNumbers,
  type SamplingOptions,
  tokenOf,
} from "./sampling.ts";
export type { Session } from "./session.ts";
export type { End, Generated, GenerateOptions } from "./shown.ts";
export { slideOf } from "./sliding.ts";
export { type StopSequences, stopSequences } from "./stop.ts";
export type { GeneratedOf } from "./together.ts";
export * from "./tokenizer/index.ts";
export type { WriteOptions } from "./write.ts";
