import type { FileHandle } from "node:fs/promises";
import { FinegrainError, jsonObject, parseJson } from "@finegrain/graph";
import { nodeFiles } from "../node.ts";
import { cannotWrite, writeFileAtomically } from "./atomic-file.ts";

/** One line of a metrics file. A number that is not finite is written as null. */
export type MetricsRecord = Readonly<Record<string, number | string | boolean | null>>;

/** Appends records to a file of JSON lines, in the order of the calls. */
export interface MetricsWriter extends AsyncDisposable {
  /** Queue one record; it is handed to the file system at once, in order. */
  append(record: MetricsRecord): void;
  /** Wait until the disk has everything appended so far. Throws what writing threw. */
  flush(): Promise<void>;
  /** Flush and close. */
  close(): Promise<void>;
}

export interface OpenMetricsOptions {
  /**
   * Keep only earlier records whose `step` is below this: where a run resumes at a checkpoint, what was logged after it
   * happens again. Without it every earlier record stays.
   */
  readonly resumeAt?: number;
}

/**
 * Open a metrics file for appending; it is made where it is not there. A last line that a crash cut short is dropped.
 *
 * @throws FinegrainError where an earlier line is not JSON.
 */
export async function openMetrics(path: string, { resumeAt }: OpenMetricsOptions = {}): Promise<MetricsWriter> {
  await trim(path, (record) => resumeAt === undefined || !(Number(record.step) >= resumeAt));
  return writer(await nodeFiles().open(path, "a").catch(cannotWrite(path)), path);
}

/**
 * The records of a metrics file. A last line without its line end, cut short by a crash, is left out.
 *
 * @throws FinegrainError where the file is missing or a line is not a JSON object.
 */
export async function readMetrics(path: string): Promise<MetricsRecord[]> {
  const text = await nodeFiles()
    .readFile(path, "utf8")
    .catch((error: Error) => {
      throw new FinegrainError(`cannot read the metrics ${path}: ${error.message}`);
    });
  return parseLines(text, path);
}

function parseLines(text: string, path: string): MetricsRecord[] {
  const lines = text.split("\n").slice(0, -1); // what follows the last line end is empty or cut short
  return lines.map((line, i) => {
    const at = `${path}:${i + 1}`;
    return jsonObject(parseJson(line, at), at) as MetricsRecord; // as `append` wrote it
  });
}

/** Rewrite the file without the records that are not kept and without a cut last line, where there are any. */
async function trim(path: string, keeps: (record: MetricsRecord) => boolean): Promise<void> {
  const text = await nodeFiles()
    .readFile(path, "utf8")
    .catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "";
      throw new FinegrainError(`cannot read the metrics ${path}: ${error.message}`);
    });
  const kept = parseLines(text, path)
    .filter(keeps)
    .map((record) => `${JSON.stringify(record)}\n`)
    .join("");
  if (kept !== text) await writeFileAtomically(path, kept);
}

function writer(file: FileHandle, path: string): MetricsWriter {
  let failure: { readonly error: unknown } | undefined;
  let queue: Promise<void> = Promise.resolve();
  const flush = async () => {
    await queue;
    if (failure !== undefined) throw failure.error;
    await file.sync().catch(cannotWrite(path));
  };
  const close = async () => {
    try {
      await flush();
    } finally {
      await file.close();
    }
  };
  return {
    append(record) {
      const line = `${JSON.stringify(record)}\n`;
      queue = queue
        .then(() => file.appendFile(line).catch(cannotWrite(path)))
        .catch((error: unknown) => {
          failure ??= { error };
        });
    },
    flush,
    close,
    [Symbol.asyncDispose]: close,
  };
}
