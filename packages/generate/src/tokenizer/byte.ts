import { checkToken, type Tokenizer } from "./tokenizer.ts";

/** The tokenizer whose tokens are the 256 bytes of UTF-8. Lone surrogates of a string become U+FFFD. */
export function byteTokenizer(): Tokenizer {
  const size = { name: "byte", vocabularySize: 256 };
  return {
    ...size,
    encode: (text) => new Int32Array(new TextEncoder().encode(text)),
    decode(ids) {
      const bytes = new Uint8Array(ids.length);
      for (let i = 0; i < ids.length; i++) {
        checkToken(ids[i]!, size);
        bytes[i] = ids[i]!;
      }
      return newDecoder().decode(bytes);
    },
    stream() {
      const decoder = newDecoder();
      return {
        push(id) {
          checkToken(id, size);
          return decoder.decode(Uint8Array.of(id), { stream: true });
        },
        flush: () => decoder.decode(),
      };
    },
  };
}

/** `ignoreBOM` keeps a byte order mark in the text, so that decoding gives back what was encoded. */
const newDecoder = () => new TextDecoder("utf-8", { ignoreBOM: true });
