import { join } from "node:path";
import { decodeGraph } from "@finegrain/generate";
import { FinegrainError, graph } from "@finegrain/graph";
import { paramTypes, safetensorsChunks } from "@finegrain/nn";
import { makeWholeFolder, type Run, readTensorHeader, tokenizerJson, writeFileAtomically } from "@finegrain/runs";

export interface OnnxExportOptions {
  /** The folder to make. */
  readonly out: string;
  /** Tokens that a text may have, which the caches have room for. Default: as many as the model may see. */
  readonly context?: number;
}

/** Tokens that the models of the folder take in one run, by their files. */
const MODELS = { "decode.onnx": 1, "prompt.onnx": 64 };
const WEIGHTS = "model.safetensors";

/**
 * Make a folder of ONNX models of a run, of which ONNX Runtime runs any, sparse ones too. They read their weights from one file beside them,
 * model.safetensors, where those are float32 under their paths in the model: `blocks.0.attention.query.kernel`, matrices as [in, out]. `decode.onnx`
 * takes one token, `prompt.onnx` 64 of a prompt, where the context is as long:
 *
 *   tokens    int32    [1, n]
 *   position  int32    []                 tokens that came before
 *   past.P    float32  as the model says  caches after those; zeros before the first
 *   logits    float32  [1, vocabulary]    of the token after the last one; comes out
 *   present.P                             caches after these tokens, which the next run takes as its past; come out
 *
 * tokenizer.json is there too, where the tokenizer has one. The folder is written aside and renamed, so that it is whole or not there.
 *
 * @throws FinegrainError where the folder is not empty, the model is a masked one or has an encoder, or it cannot see as many tokens as the context.
 */
export async function exportToOnnx(run: Run, { out, context }: OnnxExportOptions): Promise<void> {
  const { model, tokenizer } = run;
  if (model.source)
    throw new FinegrainError("this model's texts follow a source, which the models for ONNX Runtime cannot read");
  const { maxLength } = model.config;
  const capacity = context ?? maxLength;
  if (!(Number.isInteger(capacity) && capacity >= 1 && capacity <= maxLength))
    throw new FinegrainError(`the context must be a whole number from 1 to the model's ${maxLength}, not ${capacity}`);
  const { onnxModel } = await import("@finegrain/backend-onnx");
  const weights = await run.weights();
  await makeWholeFolder(out, async (aside) => {
    const file = join(aside, WEIGHTS);
    await writeFileAtomically(
      file,
      safetensorsChunks(paramTypes(model.params), (path) => weights.get(path)!),
    );
    const { entries } = await readTensorHeader(file);
    const parts = new Map(
      [...entries].map(([path, { begin, end }]) => [`weights.${path}`, { file: WEIGHTS, begin, end }]),
    );
    for (const [name, tokens] of Object.entries(MODELS)) {
      if (tokens > capacity) continue;
      const { takes, gives } = decodeGraph(model, { tokens, capacity }).graph;
      const { caches: past, ...given } = takes;
      const { caches: present, logits } = gives;
      const step = graph({ name: `${tokens} tokens`, inputs: { ...given, past }, outputs: { logits, present } });
      await writeFileAtomically(
        join(aside, name),
        onnxModel(step, (path) => parts.get(path)),
      );
    }
    const json = tokenizerJson(tokenizer);
    if (json !== undefined) await writeFileAtomically(join(aside, "tokenizer.json"), json);
  });
}
