import { FinegrainError } from "@finegrain/graph";
import { paramTypes } from "@finegrain/nn";
import { createEvaluator, heldOutBatches } from "@finegrain/train";
import type { Values } from "../arguments.ts";
import { openBackend } from "../backends.ts";
import type { evaluateFlags } from "../commands/evaluate.ts";
import { loadCorpus } from "../corpus.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { bitsPerByte } from "../held-out.ts";
import { digits, whole } from "../output/format.ts";
import { terminal } from "../output/terminal.ts";
import { openRun } from "../run-folder.ts";

/** `finegrain evaluate RUN`: bits per byte of held-out text, all of it. */
export async function evaluate(flags: Values<typeof evaluateFlags>, [path]: readonly string[]): Promise<ExitCode> {
  const { checkpoint, config, model, tokenizer } = await openRun(path!); // the operand is required
  // Another text is judged whole; of its own data a model has seen all but the end.
  const corpus = await (flags.data ? loadCorpus(flags.data, tokenizer, 1) : loadCorpus(config.data, tokenizer));
  const { length } = config.training;
  if (corpus.heldOut.length < 2)
    throw new FinegrainError(
      `${flags.data ?? config.data} has ${corpus.heldOut.length} tokens to judge by, fewer than 2`,
    );
  await using backend = await openBackend(flags.backend, flags.device);
  await using evaluator = createEvaluator(backend, model);
  const weights = await checkpoint.readModel();
  const params = [...paramTypes(model.params).keys()].map((name) => backend.upload(weights.get(name)!)); // openRun matched them
  const batches = heldOutBatches(corpus.heldOut, { batch: flags.batch, length });
  const { nats, tokens } = await evaluator.evaluate(params, batches);
  const result = bitsPerByte({ nats, tokens }, corpus);
  const out = terminal({ quiet: flags.json });
  if (flags.json)
    out.write(
      `${JSON.stringify({ bitsPerByte: result, natsPerToken: nats / tokens, tokens, bytes: corpus.heldOutBytes, step: checkpoint.step, backend: backend.name })}\n`,
    );
  else
    out.print(
      `${digits(result)} bits per byte over ${whole(corpus.heldOutBytes)} bytes (${whole(tokens)} tokens), step ${checkpoint.step}, on ${backend.name}`,
    );
  return EXIT.ok;
}
