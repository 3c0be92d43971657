export { type WasmOptions, wasmBackend } from "./backend.ts";
