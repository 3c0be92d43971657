/*
 * SentencePiece's compiled table of replacements: the length in bytes of a double-array trie (Darts), the trie's units,
 * all uint32 in little endian, then the replacements, each ended by a zero byte. The trie maps bytes of UTF-8 to
 * positions among the replacements.
 */

/** Clusters whose replacement is remembered. */
const MOST_REMEMBERED = 65536;
/** Clusters of more bytes are looked up character by character. */
const LONGEST_CLUSTER = 5;

/** The normalizer of a compiled table: each cluster of characters that it knows is replaced, or else each character. */
export function precompiled(table: Uint8Array): (text: string) => string {
  const replace = lookUp(table);
  const clusters = new Intl.Segmenter(undefined, { granularity: "grapheme" });
  const encoder = new TextEncoder();
  const remembered = new Map<string, string>();
  const ofCluster = (cluster: string): string => {
    const bytes = encoder.encode(cluster);
    const whole = bytes.length <= LONGEST_CLUSTER ? replace(bytes) : undefined;
    return whole ?? Array.from(cluster, (character) => replace(encoder.encode(character)) ?? character).join("");
  };
  const ofLine = (line: string): string => {
    let result = "";
    for (const { segment } of clusters.segment(line)) {
      let replaced = remembered.get(segment);
      if (replaced === undefined) {
        if (remembered.size >= MOST_REMEMBERED) remembered.clear();
        replaced = ofCluster(segment);
        remembered.set(segment, replaced);
      }
      result += replaced;
    }
    return result;
  };
  return (text) => {
    const lines: string[] = []; // no cluster goes on behind the end of a line
    for (let start = 0; start < text.length; ) {
      const end = text.indexOf("\n", start) + 1 || text.length;
      lines.push(ofLine(text.slice(start, end)));
      start = end;
    }
    return lines.join("");
  };
}

/** The replacement of the shortest beginning of `key` that the table has, or undefined. */
function lookUp(table: Uint8Array): (key: Uint8Array) => string | undefined {
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  const trieBytes = table.length < 4 ? 0 : Math.min(view.getUint32(0, true), table.length - 4);
  const units = Uint32Array.from({ length: trieBytes >> 2 }, (_, k) => view.getUint32(4 + 4 * k, true));
  const replacements = table.subarray(4 + trieBytes);
  const offset = (unit: number) => (unit >>> 10) << ((unit & (1 << 9)) >>> 6);
  return (key) => {
    if (units.length === 0) return undefined;
    let at = offset(units[0]!);
    for (const byte of key) {
      if (byte === 0) return undefined;
      at ^= byte;
      const unit = units[at];
      if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return undefined;
      at ^= offset(unit);
      if ((unit >>> 8) & 1) {
        const start = (units[at] ?? 0) & 0x7fffffff;
        const end = replacements.indexOf(0, start);
        return new TextDecoder("utf-8", { ignoreBOM: true }).decode(
          replacements.subarray(start, end === -1 ? undefined : end),
        );
      }
    }
    return undefined;
  };
}
