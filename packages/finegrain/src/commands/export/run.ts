import { referenceBackend } from "@finegrain/graph";
import { exportToGguf, exportToHuggingFace, openRun, unusedFolder } from "@finegrain/runs";
import type { Values } from "../../arguments.ts";
import { EXIT, type ExitCode, UsageError } from "../../exit.ts";
import { terminal } from "../../output/terminal.ts";
import type { exportFlags } from "./flags.ts";
import { exportToOnnx } from "./to-onnx.ts";

/** `finegrain export RUN`: a model in a form for other programs. Nothing is computed. */
export async function exportModel(
  { to, out: named, context }: Values<typeof exportFlags>,
  [path]: readonly string[],
): Promise<ExitCode> {
  if (context !== undefined && to !== "onnx")
    throw new UsageError(`--context is for --to onnx: ${to} has as long a context as the model`);
  await using backend = referenceBackend();
  await using run = await openRun(path!, { backend }); // the operand is required
  const name = path!.replace(/[/\\]+$/, "");
  if (to === "gguf") {
    const out = named ?? `${name}.gguf`;
    await exportToGguf(run, { out });
    terminal().print(`${out}: llama.cpp runs it, and makes it smaller by llama-quantize`);
    return EXIT.ok;
  }
  const out = named ?? (await unusedFolder(`${name}-${to}`));
  if (to === "onnx") {
    await exportToOnnx(run, { out, ...(context !== undefined && { context }) });
    terminal().print(`${out}: ONNX Runtime runs ${out}/decode.onnx, token by token`);
    return EXIT.ok;
  }
  await exportToHuggingFace(run, { out });
  terminal().print(`${out}: transformers opens it by AutoModelForCausalLM.from_pretrained("${out}")`);
  return EXIT.ok;
}
