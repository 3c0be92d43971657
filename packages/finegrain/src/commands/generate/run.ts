import { backendOptions, openBackend } from "@finegrain/backends";
import { createGenerator } from "@finegrain/generate";
import { FinegrainError } from "@finegrain/graph";
import { openRun } from "@finegrain/runs";
import type { Values } from "../../arguments.ts";
import { EXIT, type ExitCode, UsageError } from "../../exit.ts";
import { interruptible } from "../../interrupt.ts";
import { digits } from "../../output/format.ts";
import { terminal } from "../../output/terminal.ts";
import type { generateFlags } from "./flags.ts";

type Flags = Values<typeof generateFlags>;

/** `finegrain generate RUN`: write on from a prompt, as it comes. */
export async function generate(flags: Flags, [path]: readonly string[]): Promise<ExitCode> {
  const prompt = flags.prompt ?? (await standardInput());
  if (prompt === "") throw new UsageError("the prompt is empty: give some text with --prompt or on stdin");
  const { checkpoint, tokenizer, model } = await openRun(path!); // the operand is required
  const tokens = tokenizer.encode(prompt);
  await using backend = await openBackend(backendOptions(flags.backend, flags.device));
  const out = terminal({ quiet: flags.json });
  using interrupt = interruptible(() => {});
  await using generator = await createGenerator({
    backend,
    model,
    weights: await checkpoint.readModel(),
    storage: flags.quantize ?? "float32",
  });
  const written = generator.generate(tokens, { ...sampling(flags), tokenizer, signal: interrupt.signal });
  if (!flags.json) out.write(prompt);
  let text = "";
  const ids: number[] = [];
  let started = performance.now();
  for await (const { token, text: piece } of written) {
    // What comes before the first token is the prompt's time.
    if (ids.length === 0) started = performance.now();
    ids.push(token);
    text += piece;
    if (!flags.json) out.write(piece);
  }
  const tokensPerSecond = (1000 * (ids.length - 1)) / (performance.now() - started);
  if (flags.json)
    out.write(`${JSON.stringify({ prompt, text, tokens: ids, tokensPerSecond, backend: backend.name })}\n`);
  else out.print();
  out.note(out.style.dim(`${ids.length} tokens, ${digits(tokensPerSecond)} tokens/s on ${backend.name}`));
  return interrupt.signal.aborted ? EXIT.interrupted : EXIT.ok;
}

function sampling(flags: Flags) {
  return {
    maxTokens: flags["max-tokens"],
    temperature: flags.greedy ? 0 : flags.temperature,
    seed: flags.seed,
    stop: flags.stop,
    ...(flags["top-k"] !== undefined && { topK: flags["top-k"] }),
    ...(flags["top-p"] !== undefined && { topP: flags["top-p"] }),
  };
}

/** What stdin holds. At a terminal nobody has been asked for anything: then the prompt is missing. */
async function standardInput(): Promise<string> {
  if (process.stdin.isTTY) throw new UsageError("there is no prompt: give one with --prompt, or text on stdin");
  const pieces: Buffer[] = [];
  for await (const piece of process.stdin) pieces.push(piece as Buffer); // without an encoding, stdin gives bytes
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(pieces)).replace(/\r?\n$/, "");
  } catch {
    throw new FinegrainError("the prompt on stdin is not UTF-8");
  }
}
