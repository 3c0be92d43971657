export {
  type ReadOptions as SafetensorsReadOptions,
  readSafetensorsHeader,
  type SafetensorsEntry,
  type SafetensorsHeader,
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
