import { backendOptions, openBackend } from "@finegrain/backends";
import { uploadWeights } from "@finegrain/nn";
import { bitsPerByte, loadCorpus, openRun } from "@finegrain/runs";
import { createEvaluator, heldOutBatches } from "@finegrain/train";
import type { Values } from "../../arguments.ts";
import { EXIT, type ExitCode } from "../../exit.ts";
import { interruptible } from "../../interrupt.ts";
import { whole } from "../../output/format.ts";
import { progressLine } from "../../output/progress.ts";
import { terminal } from "../../output/terminal.ts";
import type { evaluateFlags } from "./flags.ts";

/** `finegrain evaluate RUN`: bits per byte on all of a text, or on all that was held out of the run's own data. */
export async function evaluate(flags: Values<typeof evaluateFlags>, [path]: readonly string[]): Promise<ExitCode> {
  const { config, checkpoint, tokenizer, model } = await openRun(path!); // the operand is required
  // Another text is judged whole; of its own data a model has seen all but the end.
  const corpus = await (flags.data
    ? loadCorpus(flags.data, tokenizer, { all: true })
    : loadCorpus(config.data, tokenizer));
  const windows = [...heldOutBatches(corpus.heldOut, { batch: flags.batch, length: config.training.length })];
  await using backend = await openBackend(backendOptions(flags.backend, flags.device));
  const weights = await checkpoint.readModel();
  const ways = ["float32" as const, ...(flags.quantize ? [flags.quantize] : [])].map((storage) => ({
    storage,
    sum: { nats: 0, tokens: 0 },
    evaluator: createEvaluator({ backend, model, storage, asDecoded: flags["as-decoded"] }),
    weights: uploadWeights(backend, model, weights, storage),
  }));
  const out = terminal({ quiet: flags.json });
  using interrupt = interruptible(() => {});
  const started = performance.now();
  for (const [done, window] of windows.entries()) {
    if (interrupt.signal.aborted) return EXIT.interrupted;
    for (const { evaluator, weights, sum } of ways) {
      const { nats, tokens } = await evaluator.evaluate(weights, [window]);
      sum.nats += nats;
      sum.tokens += tokens;
    }
    const { sum } = ways[0]!; // float32, always there
    const seconds = (performance.now() - started) / 1000;
    const facts = [`${whole(sum.tokens)} tokens`, `${bitsPerByte(sum, corpus).toFixed(3)} bits per byte`];
    out.progress(progressLine(done + 1, windows.length, seconds, facts));
  }
  out.clear();
  for (const { evaluator } of ways) await evaluator[Symbol.asyncDispose]();
  const [plain, quantized] = ways.map(({ storage, sum }) => ({ storage, ...sum, bits: bitsPerByte(sum, corpus) }));
  const data = flags.data ?? `${config.data}, the held-out part`;
  if (flags.json) {
    const facts = {
      bitsPerByte: plain!.bits,
      natsPerToken: plain!.nats / plain!.tokens,
      tokens: plain!.tokens,
      bytes: corpus.heldOutBytes,
      ...(quantized && { quantized: { storage: quantized.storage, bitsPerByte: quantized.bits } }),
    };
    out.write(
      `${JSON.stringify({ run: checkpoint.path, step: checkpoint.step, data, ...facts, backend: backend.name })}\n`,
    );
  }
  out.print(`${plain!.bits.toFixed(4)} bits per byte on ${whole(corpus.heldOutBytes)} bytes of ${data}`);
  if (quantized) {
    const cost = quantized.bits - plain!.bits;
    out.print(
      `${quantized.bits.toFixed(4)} with large weights in ${quantized.storage}: ${cost < 0 ? "" : "+"}${cost.toFixed(4)}`,
    );
  }
  return EXIT.ok;
}
