export { byteTokenizer } from "./byte.ts";
export { byteLevelJson } from "./hugging-face/byte-level.ts";
export { huggingFaceTokenizer } from "./hugging-face/hugging-face.ts";
export type { Tokenizer, TokenStream } from "./tokenizer.ts";
