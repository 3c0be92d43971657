export { anyOf, expectAlike, firstRankFirst, valueOfRank } from "./agreement.ts";
export { alone, type Communicator, type Numbers, type Reduction } from "./communicator.ts";
