export { byteTokenizer } from "./byte.ts";
export { byteLevelJson } from "./hugging-face/byte-level.ts";
export { huggingFaceTokenizer } from "./hugging-face/hugging-face.ts";
export { encodingOf, type Tokenizer, type TokenStream } from "./tokenizer.ts";
export { type SentinelTokenizer, withSentinels } from "./with-sentinels.ts";
