export { cacheTypes, type DecodeShape, decodeGraph } from "./decode-graph.ts";
export {
  createGenerator,
  type End,
  type Generated,
  type GenerateOptions,
  type Generator,
  type GeneratorOptions,
} from "./generator.ts";
export { checkSampling, greedy, type Sampler, type SamplingOptions, sampler, seededRandom } from "./sampling.ts";
export type { Session } from "./session.ts";
export { type StopSequences, stopSequences } from "./stop.ts";
export * from "./tokenizer/index.ts";
