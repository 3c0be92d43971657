import { fineTuningDefaults, STUDENT_LEARNING_RATE, TRAINING_MINUTES } from "@finegrain/runs/defaults";
import { command } from "../../command.ts";
import { backendFlags, jsonFlag, textFieldFlag, threadsFlag } from "../backend-flags.ts";
import { runOperand } from "../run-operand.ts";
import { trainFlags } from "../train/flags.ts";

const { batch, length, seed, "learning-rate": learningRate, "evaluate-every": evaluateEvery } = trainFlags;

export const sparsifyFlags = {
  method: {
    type: "choice",
    choices: ["units", "inputs"],
    default: "units",
    help: "units: sparse feed-forward layers learn to do what the dense ones do; inputs: no training, small inputs of all dense matrices count as 0, and their weights are not read",
  },
  loss: {
    type: "number",
    value: "X",
    least: 0,
    help: "of inputs: the part by which bits per byte may grow (default 0.02)",
  },
  out: { type: "text", value: "DIR", help: "the run folder to make; default the run's name and -sparse" },
  data: {
    type: "text",
    value: "PATH",
    help: "what it learns on: a text file, a JSONL file or a folder of them; default the speeches that come along",
  },
  "text-field": textFieldFlag["text-field"],
  minutes: {
    type: "number",
    value: "X",
    least: 0,
    help: `how long the layers learn (default ${TRAINING_MINUTES})`,
  },
  steps: { type: "whole", value: "N", least: 1, help: "optimizer steps, in place of --minutes" },
  batch: { ...batch, help: `windows of a batch (default ${fineTuningDefaults.batch})` },
  length: {
    ...length,
    help: `tokens of a training window (default ${fineTuningDefaults.length}, or the model's context)`,
  },
  "learning-rate": { ...learningRate, help: `the highest rate (default ${STUDENT_LEARNING_RATE})` },
  ...{ seed, "evaluate-every": evaluateEvery },
  ...backendFlags,
  ...threadsFlag,
  ...jsonFlag,
} as const;

export const sparsify = command({
  name: "sparsify",
  summary: "make a trained model sparse, by learning or without",
  operands: [runOperand],
  flags: sparsifyFlags,
  examples: [
    [
      "finegrain sparsify runs/dense --out runs/sparse",
      "1 unit of every 8, taught by the dense layers in five minutes",
    ],
    [
      "finegrain sparsify runs/smollm2 --block-size 4 --data mine.txt --minutes 60",
      "an imported model, on your own text",
    ],
    [
      "finegrain sparsify runs/smollm2 --method inputs --loss 0.02 --data mine.txt",
      "without training: what 2 % more bits per byte allow to leave out",
    ],
    ["finegrain train --init runs/sparse --out runs/tuned", "and then let all of its weights learn together"],
  ],
  layerFlags: async () => (await import("../train/layer-flags.ts")).layerFlags(["feedForward"]),
  load: async () => (await import("./run.ts")).sparsify,
});
