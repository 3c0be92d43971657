import { spawn } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));

/** How a command ended and what it wrote. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly milliseconds: number;
}

export interface RunSettings {
  readonly cwd?: string;
  /** What stdin holds. */
  readonly stdin?: string;
  /** What its environment has besides the tests' own. */
  readonly env?: NodeJS.ProcessEnv;
  /** Called with all of stdout and of stderr so far, and a way to send a signal. */
  onOutput?(stdout: string, kill: (signal: NodeJS.Signals) => void, stderr: string): void;
}

/** Run the built command as a shell would. */
export function finegrain(args: readonly string[], { cwd, stdin, env, onOutput }: RunSettings = {}): Promise<Ended> {
  const started = performance.now();
  const child = spawn(process.execPath, [MAIN, ...args], { cwd, env: { ...process.env, ...env } });
  child.stdin.end(stdin ?? "");
  let stdout = "";
  let stderr = "";
  const tell = () => onOutput?.(stdout, (signal) => child.kill(signal), stderr);
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    stdout += piece;
    tell();
  });
  child.stderr.setEncoding("utf8").on("data", (piece: string) => {
    stderr += piece;
    tell();
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr, milliseconds: performance.now() - started }));
  });
}

/** A new empty folder. */
export const emptyFolder = (): Promise<string> => mkdtemp(join(tmpdir(), "finegrain-"));

/** The same with {@link TEXT} in a file. */
export async function folderWithText(): Promise<{ folder: string; text: string }> {
  const folder = await emptyFolder();
  const text = join(folder, "text.txt");
  await writeFile(text, TEXT);
  return { folder, text };
}

/** Flags of a model and a run that take a second on the reference backend. */
export const TINY_OF_ANY_LAYER = [
  ...["--backend", "reference", "--layers", "1", "--d-model", "8", "--d-ff", "16", "--heads", "2"],
  ...["--length", "16", "--batch", "2", "--steps", "4"],
];
/** The same of a sparse feed-forward, cut into blocks of which it has several. */
export const TINY = [...TINY_OF_ANY_LAYER, "--block-size", "4"];

export const TEXT = "It was the best of times, it was the worst of times. ".repeat(40);
