export { type FileContent, makeFolder, syncFolder, writeFileAtomically, writeFileSynced } from "./atomic-file.ts";
export { type Checkpoint, checkpointNames, openCheckpoint, type SaveOptions, saveCheckpoint } from "./checkpoint.ts";
export {
  type CheckpointContent,
  checkpointFiles,
  checkpointName,
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
export { checkUnused, runPaths, unusedFolder } from "./run-folder.ts";
export { readTensorFile, readTensorHeader } from "./tensor-file.ts";
