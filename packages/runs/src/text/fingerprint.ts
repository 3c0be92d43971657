import { type Communicator, valueOfRank } from "@finegrain/distributed";
import { FinegrainError, type JsonObject, jsonObject, shownJson } from "@finegrain/graph";
import { nodeCrypto } from "../node.ts";
import type { Text } from "./text.ts";

/** What tells a text from another. */
export interface Fingerprint {
  /** UTF-8 bytes of its documents. */
  readonly bytes: number;
  /** SHA-256, in hexadecimal digits, of its documents, each followed by a zero byte. */
  readonly sha256: string;
}

/** Texts are gone through once. */
const known = new WeakMap<Text, Promise<Fingerprint>>();

/** The fingerprint of a text, whatever its documents are called. */
export function fingerprintOf(text: Text): Promise<Fingerprint> {
  const found = known.get(text) ?? readFingerprint(text);
  known.set(text, found);
  return found;
}

/** Let all ranks know the fingerprint that rank 0 finds, so that the others need not read the text. */
export async function shareFingerprint(communicator: Communicator, text: Text): Promise<void> {
  if (communicator.size === 1) return;
  const own = communicator.rank === 0 ? await fingerprintOf(text) : undefined;
  await communicator.barrier();
  known.set(text, Promise.resolve(valueOfRank(communicator, own!))); // rank 0 has one
}

async function readFingerprint({ documents }: Text): Promise<Fingerprint> {
  const hash = nodeCrypto().createHash("sha256");
  let bytes = 0;
  for await (const { text, source, continued } of documents) {
    if (source !== undefined) hash.update(`${source}\0`);
    const encoded = new TextEncoder().encode(text);
    bytes += encoded.length;
    hash.update(encoded);
    if (!continued) hash.update("\0");
  }
  return { bytes, sha256: hash.digest("hex") };
}

/**
 * @param advice what to do about a text that is another.
 * @throws FinegrainError that says what differs, where a run has not learned from this text.
 */
export async function expectFingerprint(text: Text, expected: Fingerprint, advice: string): Promise<void> {
  const found = await fingerprintOf(text);
  if (found.sha256 === expected.sha256) return;
  throw new FinegrainError(
    `${text.source ?? "the text given"} is not the text that this run learned from: that had ${shown(expected)}, this has ${shown(found)}: ${advice}`,
  );
}

const shown = ({ bytes, sha256 }: Fingerprint) => `${bytes} bytes (SHA-256 ${sha256.slice(0, 12)}...)`;

/** @throws FinegrainError where JSON is no fingerprint. */
export function checkFingerprint(value: unknown, name: string): void {
  const { bytes, sha256 }: JsonObject = jsonObject(value, name);
  if (!Number.isSafeInteger(bytes) || (bytes as number) < 0)
    throw new FinegrainError(`${name}: bytes must be a whole number of at least 0, not ${shownJson(bytes)}`);
  if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256))
    throw new FinegrainError(`${name}: sha256 must be 64 hexadecimal digits, not ${shownJson(sha256)}`);
}
