import type { Corpus } from "@finegrain/train";

/**
 * Bits per byte of UTF-8: the cross-entropy a token, in bits, spread over the bytes of its token.
 *
 * @param nats summed over `tokens` targets of the held-out text, all of it or a part.
 */
export const bitsPerByte = (
  { nats, tokens }: { readonly nats: number; readonly tokens: number },
  { heldOut, heldOutBytes }: Pick<Corpus, "heldOut" | "heldOutBytes">,
): number => ((nats / tokens) * heldOut.length) / heldOutBytes / Math.LN2;

/** At most `most` of the items, evenly spaced, the first among them. */
export function evenly<T>(items: readonly T[], most: number): T[] {
  const stride = Math.max(1, items.length / most);
  return Array.from({ length: Math.min(items.length, most) }, (_, i) => items[Math.floor(i * stride)]!);
}
