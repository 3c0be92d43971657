import { backendOptions } from "@finegrain/backends";
import { ranOn } from "@finegrain/graph";
import { type EvaluateOptions, type Evaluation, type EvaluationProgress, openRun } from "@finegrain/runs";
import type { Values } from "../../arguments.ts";
import { EXIT, type ExitCode } from "../../exit.ts";
import { interruptible } from "../../interrupt.ts";
import { whole } from "../../output/format.ts";
import { progressLine } from "../../output/progress.ts";
import { terminal } from "../../output/terminal.ts";
import { textProgress } from "../../output/text-progress.ts";
import { givenText } from "../given-text.ts";
import { openNoting } from "../open-backend.ts";
import type { evaluateFlags } from "./flags.ts";

type Flags = Values<typeof evaluateFlags>;

/** `finegrain evaluate RUN`: bits per byte on all of a text, or on all that was held out of the run's own data. */
export async function evaluate(flags: Flags, [path]: readonly string[]): Promise<ExitCode> {
  const text = await givenText(flags);
  const out = terminal({ quiet: flags.json });
  await using backend = await openNoting(out, backendOptions(flags.backend, flags.device));
  await using run = await openRun(path!, { backend }); // the operand is required
  using interrupt = interruptible(() => {});
  const found: Evaluation[] = [];
  const [usual, ...changed] = variants(flags);
  for (const { name, own } of [usual, ...changed]) {
    const started = performance.now();
    const onProgress = ({ done, batches, tokens, bitsPerByte }: EvaluationProgress) =>
      out.progress(
        progressLine(done, batches, (performance.now() - started) / 1000, [
          ...(name === "" ? [] : [name]),
          `${whole(tokens)} tokens`,
          `${bitsPerByte.toFixed(3)} bits per byte`,
        ]),
      );
    const { batch, "as-decoded": asDecoded } = flags;
    const options = { batch, asDecoded, signal: interrupt.signal, ...own, onProgress, onText: textProgress(out) };
    const evaluation = await run.evaluate(text, options).catch((error: unknown) => {
      if (interrupt.signal.aborted) return undefined;
      throw error;
    });
    if (evaluation === undefined) return EXIT.interrupted;
    found.push(evaluation);
  }
  out.clear();
  const [plain, ...others] = found as [Evaluation, ...Evaluation[]]; // one for every variant
  const data = flags.data ?? `${run.config.data}: all that was held out`;
  if (flags.json) {
    const costs = changed.map(({ field, own }, k) => [field, { ...own, bitsPerByte: others[k]!.bitsPerByte }]);
    const facts = { run: run.path, step: run.step, data, ...plain, ...Object.fromEntries(costs) };
    out.write(`${JSON.stringify({ ...facts, ...ranOn(backend) })}\n`);
  }
  const perTarget = run.model.source ? `${plain.bitsPerToken.toFixed(4)} bits per target token, ` : "";
  out.print(`${perTarget}${plain.bitsPerByte.toFixed(4)} bits per byte on ${whole(plain.bytes)} bytes of ${data}`);
  for (const [k, { name }] of changed.entries()) {
    const { bitsPerByte } = others[k]!;
    const cost = bitsPerByte - plain.bitsPerByte;
    out.print(`${bitsPerByte.toFixed(4)} with ${name}: ${cost < 0 ? "" : "+"}${cost.toFixed(4)}`);
  }
  return EXIT.ok;
}

interface Variant {
  /** What people are told of it, and its field in JSON. */
  readonly name: string;
  readonly field: string;
  readonly own: Pick<EvaluateOptions, "storage" | "context">;
}

/** What is evaluated: first the model as it was trained, then what each flag changes about it. */
function variants({ quantize, context }: Flags): [Variant, ...Variant[]] {
  return [
    { name: "", field: "", own: {} },
    ...(quantize ? [{ name: `large weights in ${quantize}`, field: "quantized", own: { storage: quantize } }] : []),
    ...(context
      ? [{ name: `a window of ${whole(context)} tokens that slides`, field: "sliding", own: { context } }]
      : []),
  ];
}
