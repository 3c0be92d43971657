export { type OnnxOptions, onnxBackend } from "./backend.ts";
export { onnxModel } from "./emit.ts";
export type { FilePart } from "./model-builder.ts";
export type { Provider } from "./providers.ts";
