export { type FileContent, makeFolder, syncFolder, writeFileAtomically, writeFileSynced } from "./atomic-file.ts";
export {
  type Checkpoint,
  type CheckpointContent,
  checkpointNames,
  openCheckpoint,
  type SavedTensor,
  saveCheckpoint,
} from "./checkpoint.ts";
export {
  type MetricsRecord,
  type MetricsWriter,
  type OpenMetricsOptions,
  openMetrics,
  readMetrics,
} from "./metrics.ts";
export { checkUnused, runPaths, unusedFolder } from "./run-folder.ts";
export { readTensorFile, readTensorHeader } from "./tensor-file.ts";
