export { expectKnown, knownDevices, openBackend } from "./open.ts";
