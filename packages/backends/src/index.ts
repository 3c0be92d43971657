export {
  type BackendName,
  type BackendOptions,
  backendOptions,
  isThreaded,
  knownDevices,
  openBackend,
} from "./open.ts";
