export { type BackendName, type BackendOptions, backendOptions, knownDevices, openBackend } from "./open.ts";
