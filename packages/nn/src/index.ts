export {
  type Context,
  evaluation,
  type Ledger,
  openLedger,
  type RandomSource,
  type ReadableLedger,
  randomSource,
  training,
} from "./context.ts";
export type { AnyDefinition, Case, Defined, Definition, Place } from "./definition/layer-definition.ts";
export {
  boolean,
  choice,
  type Given,
  group,
  number,
  type Option,
  type Options,
  type Presence,
  type Resolved,
  type Suggested,
  whole,
} from "./definition/option.ts";
export { glorot, type Init, normal, ones, sinusoid, zeros } from "./init.ts";
export { initialize, initializing, seedKey } from "./initialize.ts";
export {
  type CachedLayer,
  type CacheTree,
  type DecodedLayer,
  type Layer,
  type Like,
  leaves,
  mapParams,
  mapTree,
  type Param,
  type Params,
  param,
  parameterCount,
  paramsOfRank,
  paramTypes,
  type Tree,
  type Weights,
} from "./layer.ts";
export * from "./layers/index.ts";
export * from "./models/index.ts";
export {
  decodeTensor,
  matchTensors,
  readSafetensors,
  readSafetensorsHeader,
  type SafetensorsContent,
  type SafetensorsEntry,
  type SafetensorsHeader,
  type SafetensorsReadOptions,
  safetensorsChunks,
  safetensorsHeaderLength,
  writeSafetensors,
} from "./safetensors/index.ts";
export type { Parts } from "./storage/form.ts";
export { int4Parts, type PackedInt4 } from "./storage/int4.ts";
export {
  type DistantWeight,
  expectStorage,
  loadWeights,
  type ModelWeights,
  type Storage,
  storages,
  storedProducts,
  storedTypes,
  storeWeights,
  traceWeights,
  uploadingWeights,
  uploadWeights,
} from "./storage/storage.ts";
