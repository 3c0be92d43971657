export { type FileContent, makeFolder, syncFolder, writeFileAtomically, writeFileSynced } from "./atomic-file.ts";
export { makeWholeFolder } from "./atomic-folder.ts";
export { type Checkpoint, checkpointNames, openCheckpoint, type SaveOptions, saveCheckpoint } from "./checkpoint.ts";
export {
  type CheckpointContent,
  checkpointFiles,
  type SavedTensor,
  savedState,
  savedTypes,
} from "./checkpoint-files.ts";
export {
  type MetricsRecord,
  type MetricsWriter,
  type OpenMetricsOptions,
  openMetrics,
  readMetrics,
} from "./metrics.ts";
export { CHECKPOINT_FILES, CHECKPOINT_POINTERS, checkpointName, RUN_FILES } from "./run-files.ts";
export { checkUnused, runPaths, unusedFolder } from "./run-folder.ts";
export { readTensorFile, readTensorHeader } from "./tensor-file.ts";
