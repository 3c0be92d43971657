export { tensorBytes } from "./dtypes.ts";
export {
  type ReadOptions as SafetensorsReadOptions,
  readSafetensorsHeader,
  type SafetensorsEntry,
  type SafetensorsHeader,
  safetensorsHeader,
  safetensorsHeaderLength,
} from "./header.ts";
export { matchTensors } from "./match.ts";
export {
  decodeTensor,
  readSafetensors,
  type SafetensorsContent,
  safetensorsChunks,
  writeSafetensors,
} from "./safetensors.ts";
