import { FinegrainError } from "@finegrain/graph";
import type { Corpus, TokenSink, Tokens } from "@finegrain/train";
import { cannotWrite, makeFolder, WRITING, writeFileAtomically } from "../folder/atomic-file.ts";
import { exists } from "../folder/run-folder.ts";
import { nodeFiles, nodeFilesSync, nodePath } from "../node.ts";

/** Arrays of ids, by the bytes of one. */
const ARRAYS = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array } as const;
type Width = keyof typeof ARRAYS;

/** Bytes of an id of a vocabulary. */
const widthOf = (vocabularySize: number): Width => (vocabularySize <= 2 ** 8 ? 1 : vocabularySize <= 2 ** 16 ? 2 : 4);

/** Ids that are gathered before they are written. */
const AT_ONCE = 2 ** 20;

/** What stands beside the tokens of a corpus, once all are there. */
interface Contents {
  readonly train: number;
  readonly heldOut: number;
  readonly trainBytes: number;
  readonly heldOutBytes: number;
}

/**
 * A corpus in the files of a folder: `train` and `held-out`, unsigned numbers of 1, 2 or 4 bytes, little-endian, and `tokens.json`. What is there
 * already is not made again.
 * @param make makes it, with these places for its parts.
 */
export async function corpusInFiles(
  folder: string,
  vocabularySize: number,
  make: (sink: (part: "train" | "held-out") => TokenSink) => Promise<Corpus>,
): Promise<Corpus> {
  const width = widthOf(vocabularySize);
  const list = nodePath().join(folder, "tokens.json");
  const fileOf = (part: "train" | "held-out") => nodePath().join(folder, part);
  if (!(await exists(list))) {
    await makeFolder(folder);
    const sinks: Disposable[] = [];
    try {
      const { train, heldOut, ...bytes } = await make((part) => {
        const sink = fileSink(fileOf(part), width);
        sinks.push(sink);
        return sink;
      });
      const contents: Contents = { train: train.length, heldOut: heldOut.length, ...bytes };
      await writeFileAtomically(list, JSON.stringify(contents));
    } finally {
      for (const sink of sinks) sink[Symbol.dispose]();
    }
  }
  const { train, heldOut, ...bytes } = JSON.parse(await nodeFiles().readFile(list, "utf8")) as Contents; // as it is written above
  const tokens = (part: "train" | "held-out", length: number): Tokens => tokensIn(fileOf(part), length, width);
  return { train: tokens("train", train), heldOut: tokens("held-out", heldOut), ...bytes };
}

/** Tokens go to the file at `path`, which is there when all have come. */
function fileSink(path: string, width: Width): TokenSink & Disposable {
  const files = nodeFilesSync();
  const aside = `${path}${WRITING}`;
  const orSay = <T>(act: () => T): T => {
    try {
      return act();
    } catch (error) {
      return cannotWrite(path)(error);
    }
  };
  const file = orSay(() => files.openSync(aside, "w"));
  const gathered = new ARRAYS[width](AT_ONCE);
  let [used, length] = [0, 0];
  const write = (): void => {
    const bytes = new Uint8Array(gathered.buffer, 0, used * width);
    for (let at = 0; at < bytes.length; ) at += orSay(() => files.writeSync(file, bytes, at));
    length += used;
    used = 0;
  };
  return {
    push(ids) {
      for (let i = 0; i < ids.length; i++) {
        if (used === AT_ONCE) write();
        gathered[used++] = ids[i]!;
      }
    },
    async end() {
      write();
      orSay(() => files.fsyncSync(file));
      orSay(() => files.renameSync(aside, path));
      return tokensIn(path, length, width);
    },
    [Symbol.dispose]() {
      files.closeSync(file);
      files.rmSync(aside, { force: true });
    },
  };
}

/** Tokens that are read from the file at `path` when they are asked for. */
const tokensIn = (path: string, length: number, width: Width): Tokens => ({
  length,
  slice(start, end) {
    const files = nodeFilesSync();
    const ids = new ARRAYS[width](Math.max(0, Math.min(end, length) - start));
    const bytes = new Uint8Array(ids.buffer);
    const file = files.openSync(path, "r");
    try {
      for (let at = 0; at < bytes.length; ) {
        const read = files.readSync(file, bytes, at, bytes.length - at, start * width + at);
        if (read === 0) throw new FinegrainError(`${path} is cut short: remove its folder, which is made again`);
        at += read;
      }
    } finally {
      files.closeSync(file);
    }
    return new Int32Array(ids);
  },
});
