import { FinegrainError } from "@finegrain/graph";

/** No string of JavaScript is longer, so no decoded text can be either. */
const LONGEST_TEXT = 2 ** 29 - 24;

/**
 * Decode UTF-8 strictly; a byte order mark at the beginning of the file is dropped.
 *
 * @param offset position of `bytes` in the file, for the error.
 * @throws FinegrainError naming the file and the offset of its first bad byte, or where the text is too long for a string.
 */
export function decodeUtf8(bytes: Uint8Array, file: string, offset = 0): string {
  if (bytes.length > LONGEST_TEXT) {
    throw new FinegrainError(
      `${file} has ${bytes.length} bytes, more than the ${LONGEST_TEXT} that one text may have: split it`,
    );
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: offset > 0 }).decode(bytes);
  } catch {
    const bad = firstBadByte(bytes);
    const byte = bytes[bad]?.toString(16).padStart(2, "0");
    const what = byte === undefined ? "it ends inside a character" : `bad byte 0x${byte}`;
    throw new FinegrainError(`${file} is not UTF-8: ${what} at offset ${offset + bad}`);
  }
}

/**
 * Index of the first byte that cannot continue well-formed UTF-8 (Unicode 15, table 3-7), or `bytes.length` where the
 * bytes are well-formed or only end too early.
 */
function firstBadByte(bytes: Uint8Array): number {
  for (let k = 0; k < bytes.length; ) {
    const lead = bytes[k]!;
    const more = lead < 0x80 ? 0 : lead < 0xc2 ? -1 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : lead < 0xf5 ? 3 : -1;
    if (more === -1) return k;
    for (let j = 1; j <= more; j++) {
      const byte = bytes[k + j];
      if (byte === undefined) return bytes.length;
      // Only the second byte has a narrower range: it rules out overlong forms, surrogates and what lies above U+10FFFF.
      const low = j > 1 ? 0x80 : lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
      const high = j > 1 ? 0xbf : lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
      if (byte < low || byte > high) return k + j;
    }
    k += more + 1;
  }
  return bytes.length;
}
