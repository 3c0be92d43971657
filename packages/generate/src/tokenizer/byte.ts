import { checkToken, type Tokenizer } from "./tokenizer.ts";

/** The tokenizer whose tokens are the 256 bytes of UTF-8. Lone surrogates of a string become U+FFFD. */
export function byteTokenizer(): Tokenizer {
  const size = { name: "byte", vocabularySize: 256 };
  return {
    ...size,
    encode: (text) => Int32Array.from(new TextEncoder().encode(text)),
    decode(ids) {
      const bytes = Uint8Array.from(ids, (id) => {
        checkToken(id, size);
        return id;
      });
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
