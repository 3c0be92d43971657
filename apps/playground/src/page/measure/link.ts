/*
 * Results in an address: their lines, deflated, in the letters that an address may have.
 */

const PREFIX = "#measure=";

export async function linkOf(lines: string): Promise<string> {
  const packed = await passed(new Blob([lines]), new CompressionStream("deflate-raw"));
  const letters = btoa(Array.from(packed, (byte) => String.fromCharCode(byte)).join(""));
  return `${PREFIX}${letters.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

/** The lines in an address; undefined where it has none. @throws where they were cut. */
export async function linesIn(hash: string): Promise<string | undefined> {
  if (!hash.startsWith(PREFIX)) return undefined;
  const letters = hash.slice(PREFIX.length).replaceAll("-", "+").replaceAll("_", "/");
  const packed = Uint8Array.from(atob(letters), (letter) => letter.charCodeAt(0));
  return new TextDecoder().decode(await passed(new Blob([packed]), new DecompressionStream("deflate-raw")));
}

const passed = async (blob: Blob, through: GenericTransformStream): Promise<Uint8Array> =>
  new Uint8Array(await new Response(blob.stream().pipeThrough(through as ReadableWritablePair)).arrayBuffer()); // of bytes, both
