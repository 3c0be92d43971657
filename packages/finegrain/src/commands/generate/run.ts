import { backendOptions } from "@finegrain/backends";
import type { ChatMessage, DrawnToken, End, Tokenizer } from "@finegrain/generate";
import { FinegrainError, ranOn } from "@finegrain/graph";
import { openRun, type RunGenerateOptions } from "@finegrain/runs";
import type { Values } from "../../arguments.ts";
import { EXIT, type ExitCode, UsageError } from "../../exit.ts";
import { interruptible } from "../../interrupt.ts";
import { digits } from "../../output/format.ts";
import { hint } from "../../output/hint.ts";
import { terminal } from "../../output/terminal.ts";
import { openNoting } from "../open-backend.ts";
import type { generateFlags } from "./flags.ts";

type Flags = Values<typeof generateFlags>;

/** `finegrain generate RUN`: write on from a prompt, as it comes. */
export async function generate(flags: Flags, [path]: readonly string[]): Promise<ExitCode> {
  if (flags.stop.includes("")) throw new UsageError("a stop sequence must not be empty");
  if (flags["log-probabilities"] !== undefined && !flags.json)
    throw new UsageError("--log-probabilities is for --json");
  if (flags.system !== undefined && !flags.chat) throw new UsageError("--system is for --chat");
  const prompt = flags.prompt ?? (flags.source === undefined ? await standardInput() : "");
  if (prompt === "" && flags.source === undefined)
    throw new UsageError("the prompt is empty: give some text with --prompt or on stdin");
  const out = terminal({ quiet: flags.json });
  await using backend = await openNoting(out, backendOptions(flags.backend, flags.device));
  await using run = await openRun(path!, { backend }); // the operand is required
  await using draft = flags.draft === undefined ? undefined : await openRun(flags.draft, { backend });
  using interrupt = interruptible(() => {});
  const show = (piece: string) => {
    if (!flags.json) out.write(piece);
  };
  let text = "";
  const ids: number[] = [];
  const told: Told[] = [];
  let ended: End | undefined;
  let started = performance.now();
  for await (const { text: piece, end, ...drawn } of run.generate(asked(prompt, flags), {
    ...generateOptions(flags, interrupt.signal),
    draft,
  })) {
    if (ids.length === 0) {
      // What comes before the first token is the prompt's time.
      started = performance.now();
      if (!flags.chat) show(prompt);
    }
    if (drawn.token !== undefined) ids.push(drawn.token);
    if (drawn.token !== undefined && drawn.likely)
      told.push(withTexts(run.tokenizer, { ...drawn, token: drawn.token }));
    ended = end;
    text += piece;
    show(piece);
  }
  const tokensPerSecond = (1000 * Math.max(0, ids.length - 1)) / (performance.now() - started);
  const written = { tokens: ids, ...(told.length > 0 && { logProbabilities: told }) };
  if (flags.json)
    out.write(`${JSON.stringify({ prompt, text, ...written, end: ended, tokensPerSecond, ...ranOn(backend) })}\n`);
  else out.print();
  out.note(out.style.dim(`${ids.length} tokens, ${digits(tokensPerSecond)} tokens/s on ${backend.name}`));
  if (ended === "context") out.note(contextEnded(path!, run.model.config.maxLength));
  return interrupt.signal.aborted ? EXIT.interrupted : EXIT.ok;
}

interface Told extends DrawnToken {
  readonly text: string;
}

/** A token and those that were likely in its place, with the text of each. A token that the tokenizer lacks has none. */
function withTexts(tokenizer: Tokenizer, { likely = [], ...drawn }: DrawnToken): Told {
  const named = <T extends DrawnToken>(one: T) => ({
    ...one,
    text: one.token < tokenizer.vocabularySize ? tokenizer.decode([one.token]) : "",
  });
  return { ...named(drawn), likely: likely.map(named) };
}

/** What the model goes on from: the prompt, or a conversation with it. */
const asked = (prompt: string, { chat, system }: Flags): string | readonly ChatMessage[] => {
  if (!chat) return prompt;
  const told = system === undefined ? [] : [{ role: "system", content: system }];
  return [...told, { role: "user", content: prompt }];
};

const contextEnded = (path: string, tokens: number) =>
  `the text ends with the model's context of ${tokens} tokens; it goes on with: ${hint("generate", path, "--context", `${tokens}`, "...")}`;

const generateOptions = (flags: Flags, signal: AbortSignal): RunGenerateOptions => ({
  signal,
  ...(flags.source !== undefined && { source: flags.source }),
  maxTokens: flags["max-tokens"],
  temperature: flags.greedy ? 0 : flags.temperature,
  seed: flags.seed,
  context: flags.context,
  stop: flags.stop,
  storage: flags.quantize ?? "float32",
  ...(flags["top-k"] !== undefined && { topK: flags["top-k"] }),
  ...(flags["top-p"] !== undefined && { topP: flags["top-p"] }),
  ...(flags["min-p"] !== undefined && { minP: flags["min-p"] }),
  ...(flags["repetition-penalty"] !== undefined && { repetitionPenalty: flags["repetition-penalty"] }),
  ...(flags["presence-penalty"] !== undefined && { presencePenalty: flags["presence-penalty"] }),
  logProbabilities: flags["log-probabilities"],
});

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
