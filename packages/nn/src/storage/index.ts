export {
  expectStorage,
  type Storage,
  storages,
  storedProducts,
  storedTypes,
  storeWeights,
  traceWeights,
  uploadingWeights,
  uploadWeights,
} from "./storage.ts";
