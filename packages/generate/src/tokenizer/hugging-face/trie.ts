/** Finds which of a set of texts begin at a place of another text. Its steps are UTF-16 code units. */
export interface Trie {
  /** Calls `found` for every text that begins at `start`, the shortest first. */
  prefixes(text: string, start: number, found: (end: number, id: number) => void): void;
}

/** The trie of texts with a number each; where a text is there twice the later number counts. */
export function trieOf(texts: Iterable<readonly [text: string, id: number]>): Trie {
  const UNITS = 0x10000;
  const children = new Map<number, number>(); // node * UNITS + code unit -> node
  const ids: number[] = [-1]; // of a node: the id of the text that ends there, or -1
  for (const [text, id] of texts) {
    let node = 0;
    for (let k = 0; k < text.length; k++) {
      const key = node * UNITS + text.charCodeAt(k);
      let child = children.get(key);
      if (child === undefined) {
        child = ids.push(-1) - 1;
        children.set(key, child);
      }
      node = child;
    }
    ids[node] = id;
  }
  return {
    prefixes(text, start, found) {
      let node: number | undefined = 0;
      for (let at = start; at < text.length; at++) {
        node = children.get(node * UNITS + text.charCodeAt(at));
        if (node === undefined) return;
        if (ids[node] !== -1) found(at + 1, ids[node]!);
      }
    },
  };
}
