export { anyOf, expectAlike, firstRankFirst, RanksDiffer, valueOfRank, valuesOfRanks } from "./agreement.ts";
export {
  type CompiledAmongRanks,
  compileAmongRanks,
  type Exchange,
  type ExecutableAmongRanks,
} from "./among-ranks.ts";
export { alone, type Communicator, type Numbers, type Reduction } from "./communicator.ts";
export {
  boundByMessages,
  type Network,
  type ScaledModel,
  type ScaledStep,
  scaledStep,
  stepBytes,
} from "./scaling.ts";
