export { byteTokenizer } from "./byte.ts";
export { huggingFaceTokenizer } from "./hugging-face/hugging-face.ts";
export type { Tokenizer, TokenStream } from "./tokenizer.ts";
