import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type HostTensor, hostTensor, referenceBackend } from "@finegrain/graph";
import { readSafetensors, writeSafetensors } from "@finegrain/nn";
import { describe, expect, test } from "vitest";
import { golden } from "./command.ts";

const cases = fileURLToPath(new URL("../../golden", import.meta.url));

/** The command's exit code and lines. */
async function run(...args: string[]): Promise<{ code: number; lines: string[] }> {
  const lines: string[] = [];
  const openBackend = async () => referenceBackend();
  const code = await golden(args, { folder: cases, openBackend, print: (line) => lines.push(line) });
  return { code, lines };
}

/** A folder with one case, some of whose tensors or metadata are others. */
function folderWith(
  name: string,
  change: (tensors: Map<string, HostTensor>, metadata: Record<string, string>) => void,
  family = "trax",
): string {
  const folder = mkdtempSync(join(tmpdir(), "finegrain-golden-"));
  const { tensors, metadata } = readSafetensors(readFileSync(join(cases, family, `${name}.safetensors`)));
  const [changed, described] = [new Map(tensors), { ...metadata }];
  change(changed, described);
  writeFileSync(join(folder, `${name}.safetensors`), writeSafetensors(changed, described));
  return folder;
}

/** One element of a tensor moved. */
function nudge(tensors: Map<string, HostTensor>, name: string, by: number, element = 1): void {
  const { dtype, shape, data } = tensors.get(name)!;
  tensors.set(
    name,
    hostTensor(
      dtype,
      shape,
      Float32Array.from(data, (x, i) => (i === element ? x + by : x)),
    ),
  );
}

test("every case of the layers that we have agrees with Trax", async () => {
  const { code, lines } = await run(join(cases, "trax"));
  expect(lines.filter((line) => line.startsWith("FAIL"))).toEqual([]);
  expect(lines.at(-1)).toBe("66 ok, 0 FAIL, 0 unsupported");
  expect(lines).toHaveLength(67);
  expect(code).toBe(0);
});

test("without a folder, all cases of the repository run", async () => {
  const { code, lines } = await run();
  expect(lines.at(-1)).toBe("268 ok, 0 FAIL, 14 unsupported");
  expect(lines).toContainEqual(expect.stringMatching(/^unsupported talk_batch_split_ff: the layer BatchSplitFF/));
  expect(code).toBe(0);
}, 240_000);

describe("a case fails", () => {
  test.each([
    ["output", 1e-3],
    ["grad.weights.in", 1e-2],
    ["grad.input", Number.NaN],
    ["weights.controller.bias", 5],
    ["input", 0.01],
  ])("where %s is off by %d", async (tensor, by) => {
    const { code, lines } = await run(folderWith("sparse-feed-forward-train-soft", (t) => nudge(t, tensor, by)));
    expect(lines).toEqual([
      expect.stringMatching(/^FAIL sparse-feed-forward-train-soft: .+ is off by /),
      "0 ok, 1 FAIL, 0 unsupported",
    ]);
    expect(code).toBe(1);
  });

  test.each([
    ["sparse_ff_train_quantized", "random.select", 0.9],
    ["causal_attention", "predict.0", 1e-3],
    ["transformer_lm_sparse_ff", "aux.predict_logits", 1e-2],
    ["optimizer_adam_from_step_1", "step2.grad.2", 0.1],
  ])("%s where %s is off by %d", async (name, tensor, by) => {
    const folder = folderWith(
      name,
      (tensors) => nudge(tensors, tensor, by, tensors.get(tensor)!.data.length - 1),
      "trax-wide",
    );
    expect((await run(folder)).lines.at(-1)).toBe("0 ok, 1 FAIL, 0 unsupported");
  });

  test.each([
    ["sparse-feed-forward-train-hard", "quant_prob", { quant_prob: 0 }],
    ["sparse-feed-forward-multiplied-eval", "multiply_by_controller_output", { multiply_by_controller_output: false }],
    ["causal-attention", "n_heads", { n_heads: 2 }],
    ["layer-norm", "center", { center: false }],
    ["optimizer-adam", "b2", { b2: 0.99 }],
    ["optimizer-adafactor", "decay_rate", { decay_rate: 0.7 }],
  ])("%s with another %s", async (name, _, other) => {
    const folder = folderWith(name, (_tensors, metadata) => {
      metadata.arguments = JSON.stringify({ ...JSON.parse(metadata.arguments!), ...other });
    });
    expect((await run(folder)).lines.at(-1)).toBe("0 ok, 1 FAIL, 0 unsupported");
  });

  test.each([
    ["head_lm_token_choice", "train.losses", 1e-3],
    ["head_lm_token_choice", "loss.z", 1e-3],
    ["head_tc_top1", "loss.load_balancing", 1e-3],
    ["head_ec_zloss", "grad_aux.weights.gating.gate", 1e-3],
  ])("%s where %s is off by %d", async (name, tensor, by) => {
    const folder = folderWith(name, (tensors) => nudge(tensors, tensor, by, 0), "llm-random");
    expect((await run(folder)).lines.at(-1)).toBe("0 ok, 1 FAIL, 0 unsupported");
  });

  test("where the file is cut short", async () => {
    const folder = mkdtempSync(join(tmpdir(), "finegrain-golden-"));
    writeFileSync(join(folder, "broken.safetensors"), "broken");
    const { code, lines } = await run(folder);
    expect(lines[0]).toMatch(/^FAIL .*broken/);
    expect(code).toBe(1);
  });
});

describe("a case is unsupported", () => {
  test.each([
    ["feed-forward", { activation: "tanh" }, "the activation tanh"],
    ["causal-attention", { use_dconv: true }, "the argument use_dconv = true"],
    ["language-model-dense", { pos_type: "fixed-base" }, 'the argument pos_type = "fixed-base"'],
  ])("%s with %j", async (name, other, missing) => {
    const folder = folderWith(name, (_tensors, metadata) => {
      metadata.arguments = JSON.stringify({ ...JSON.parse(metadata.arguments!), ...other });
    });
    const { code, lines } = await run(folder);
    expect(lines[0]).toBe(`unsupported ${name}: ${missing}`);
    expect(code).toBe(0);
  });

  test("where a weight is left over", async () => {
    const folder = folderWith("feed-forward", (tensors) =>
      tensors.set("weights.gate", hostTensor("float32", [1], [1])),
    );
    expect((await run(folder)).lines[0]).toBe("unsupported feed-forward: the weight gate");
  });
});

test("options that change nothing here are let pass", async () => {
  const folder = folderWith("feed-forward", (_tensors, metadata) => {
    metadata.arguments = JSON.stringify({ ...JSON.parse(metadata.arguments!), dropout: 0.5, use_bfloat16: false });
  });
  expect((await run(folder)).lines[0]).toMatch(/^ok feed-forward: /);
});

test.each([
  [["/nowhere"], "there is no folder /nowhere"],
  [[mkdtempSync(join(tmpdir(), "finegrain-empty-"))], "has no .safetensors files"],
  [["a", "b"], "one folder of cases is expected, not 2"],
  [["--verbose"], "Unknown option '--verbose'"],
])("refuses %j", async (args, message) => {
  await expect(run(...args)).rejects.toThrow(message);
});
