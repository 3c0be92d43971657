export { checkSampling, greedy, type Sampler, type SamplingOptions, sampler, seededRandom } from "./sampling.ts";
export { type StopSequences, stopSequences } from "./stop.ts";
export * from "./tokenizer/index.ts";
