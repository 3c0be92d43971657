import { backendOptions } from "@finegrain/backends";
import { ranOn } from "@finegrain/graph";
import { type Evaluation, type EvaluationProgress, openRun, readText } from "@finegrain/runs";
import type { Values } from "../../arguments.ts";
import { EXIT, type ExitCode } from "../../exit.ts";
import { interruptible } from "../../interrupt.ts";
import { whole } from "../../output/format.ts";
import { progressLine } from "../../output/progress.ts";
import { terminal } from "../../output/terminal.ts";
import { openNoting } from "../open-backend.ts";
import type { evaluateFlags } from "./flags.ts";

/** `finegrain evaluate RUN`: bits per byte on all of a text, or on all that was held out of the run's own data. */
export async function evaluate(flags: Values<typeof evaluateFlags>, [path]: readonly string[]): Promise<ExitCode> {
  const text = flags.data === undefined ? undefined : await readText(flags.data);
  const out = terminal({ quiet: flags.json });
  await using backend = await openNoting(out, backendOptions(flags.backend, flags.device));
  await using run = await openRun(path!, { backend }); // the operand is required
  using interrupt = interruptible(() => {});
  const storages = ["float32" as const, ...(flags.quantize ? [flags.quantize] : [])];
  const found: Evaluation[] = [];
  for (const storage of storages) {
    const started = performance.now();
    const onProgress = ({ done, batches, tokens, bitsPerByte }: EvaluationProgress) =>
      out.progress(
        progressLine(done, batches, (performance.now() - started) / 1000, [
          ...(storages.length > 1 ? [storage] : []),
          `${whole(tokens)} tokens`,
          `${bitsPerByte.toFixed(3)} bits per byte`,
        ]),
      );
    const options = {
      batch: flags.batch,
      asDecoded: flags["as-decoded"],
      signal: interrupt.signal,
      storage,
      onProgress,
    };
    const evaluation = await run.evaluate(text, options).catch((error: unknown) => {
      if (interrupt.signal.aborted) return undefined;
      throw error;
    });
    if (evaluation === undefined) return EXIT.interrupted;
    found.push(evaluation);
  }
  out.clear();
  const [plain, quantized] = found as [Evaluation, Evaluation?]; // one for every storage
  const data = flags.data ?? `${run.config.data}: all that was held out`;
  if (flags.json) {
    const facts = {
      run: run.path,
      step: run.step,
      data,
      ...plain,
      ...(quantized && { quantized: { storage: flags.quantize, bitsPerByte: quantized.bitsPerByte } }),
    };
    out.write(`${JSON.stringify({ ...facts, ...ranOn(backend) })}\n`);
  }
  out.print(`${plain.bitsPerByte.toFixed(4)} bits per byte on ${whole(plain.bytes)} bytes of ${data}`);
  if (quantized) {
    const cost = quantized.bitsPerByte - plain.bitsPerByte;
    out.print(
      `${quantized.bitsPerByte.toFixed(4)} with large weights in ${flags.quantize}: ${cost < 0 ? "" : "+"}${cost.toFixed(4)}`,
    );
  }
  return EXIT.ok;
}
