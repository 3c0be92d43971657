export { type OnnxOptions, onnxBackend } from "./backend.ts";
export type { Provider } from "./providers.ts";
