import { modelDefaults, TRAINING_MINUTES, trainingDefaults } from "@finegrain/runs/defaults";
import { command } from "../../command.ts";
import { backendFlags, expertRanksFlag, jsonFlag, ranksFlag, textFieldFlag, threadsFlag } from "../backend-flags.ts";

export const trainFlags = {
  out: { type: "text", value: "DIR", help: "the run folder to make; default runs/ and the time" },
  resume: {
    type: "text",
    value: "DIR",
    help: "go on with a run folder from its last checkpoint, with --steps to more of them; its own config holds for the rest",
  },
  "new-data": {
    type: "switch",
    help: "with --resume: learn on from a text that has changed since, or from another by --data",
  },
  init: {
    type: "text",
    value: "PATH",
    help: "begin with the weights of a run, or of a model from Hugging Face or a GGUF file; its model and tokenizer hold",
  },
  lora: {
    type: "whole",
    value: "RANK",
    least: 1,
    help: "with --init: train two narrow matrices of this width beside each of the blocks', and leave the model's own as they are",
  },
  "lora-alpha": {
    type: "number",
    value: "X",
    least: 0,
    help: "their product counts alpha / rank (default twice the rank)",
  },
  "lora-matrices": {
    type: "text",
    value: "NAMES",
    help: "which matrices have them: of query,key,value,output,inner,gate,outer (default all)",
  },
  config: { type: "text", value: "FILE", help: "JSON in the form of a run folder's config.json; flags go over it" },
  data: {
    type: "text",
    value: "PATH",
    help: "a text file, a JSONL file or a folder of them; default the speeches that come along",
  },
  ...textFieldFlag,
  tokenizer: {
    type: "text",
    value: "byte|FILE",
    help: "byte, or the path of a Hugging Face tokenizer.json (default byte)",
  },
  model: {
    type: "choice",
    choices: ["dense", "sparse"],
    help: "the dense baseline or the Scaling Transformer (default sparse)",
  },
  layers: {
    type: "whole",
    value: "N",
    least: 1,
    help: `blocks of attention and feed-forward (default by --minutes; with --steps ${modelDefaults.layers})`,
  },
  "d-model": {
    type: "whole",
    value: "N",
    least: 1,
    help: `width of the residual stream (default by --minutes; with --steps ${modelDefaults.dModel})`,
  },
  "d-ff": { type: "whole", value: "N", least: 1, help: "hidden units of a feed-forward layer (default 4 x d-model)" },
  heads: {
    type: "whole",
    value: "N",
    least: 1,
    help: `attention heads (default one for 64 of the width; with --steps ${modelDefaults.heads})`,
  },
  length: {
    type: "whole",
    value: "N",
    least: 1,
    help: `tokens of a training window, and of the model's context (default by --minutes; with --steps ${trainingDefaults.length})`,
  },
  objective: {
    type: "choice",
    choices: ["causal", "masked"],
    help: "tell the next token, or hidden ones from both sides as BERT does (default causal)",
  },
  minutes: {
    type: "number",
    value: "X",
    least: 0,
    help: `how long it takes; sizes, rate and steps are made for it, from what the device does in a moment of training (default ${TRAINING_MINUTES})`,
  },
  steps: { type: "whole", value: "N", least: 1, help: "optimizer steps, in place of --minutes" },
  batch: {
    type: "whole",
    value: "N",
    least: 1,
    help: `windows of a batch (default by --minutes; with --steps ${trainingDefaults.batch})`,
  },
  accumulate: {
    type: "whole",
    value: "N",
    least: 1,
    help: `batches of one step (default ${trainingDefaults.accumulate})`,
  },
  optimizer: {
    type: "choice",
    choices: ["adamw", "adafactor"],
    help: `the optimizer (default ${trainingDefaults.optimizer})`,
  },
  "learning-rate": {
    type: "number",
    value: "X",
    least: 0,
    help: `the highest rate (default by --minutes; with --steps ${trainingDefaults.learningRate})`,
  },
  schedule: {
    type: "choice",
    choices: ["cosine", "inverse-sqrt", "constant"],
    help: `how the rate goes down (default ${trainingDefaults.schedule})`,
  },
  warmup: { type: "whole", value: "N", least: 0, help: "steps until the highest rate (default a tenth of the steps)" },
  "weight-decay": {
    type: "number",
    value: "X",
    least: 0,
    help: `decoupled weight decay (default ${trainingDefaults.weightDecay} with adamw)`,
  },
  clip: {
    type: "number",
    value: "X",
    least: 0,
    help: `the largest norm of a gradient; 0 leaves it as it is (default ${trainingDefaults.clipNorm})`,
  },
  transition: {
    type: "number",
    value: "X",
    least: 0,
    help: `grouped, mixture-of-tokens: the part of the steps, at the end, that trains them as experts that tokens choose, which is what decodes (default ${trainingDefaults.transition})`,
  },
  seed: {
    type: "whole",
    value: "N",
    least: 0,
    help: `decides weights, batches and noise (default ${trainingDefaults.seed})`,
  },
  "evaluate-every": {
    type: "whole",
    value: "N",
    least: 1,
    help: "steps between evaluations on held-out text (default a fifth of the steps)",
  },
  "checkpoint-every": {
    type: "whole",
    value: "N",
    least: 1,
    help: "steps between checkpoints (default a fifth of the steps)",
  },
  deterministic: {
    type: "switch",
    help: "sum the batches of a step one by one: as many ranks as there are learn the same, to the last bit",
  },
  ...backendFlags,
  ...threadsFlag,
  ...ranksFlag,
  ...expertRanksFlag,
  ...jsonFlag,
} as const;

export const train = command({
  name: "train",
  summary: "train a language model on text",
  operands: [],
  flags: trainFlags,
  sections: [
    ["The run", ["out", "resume", "new-data", "init", "config", "data", "text-field", "tokenizer"]],
    ["Fine-tuning", ["lora", "lora-alpha", "lora-matrices"]],
    ["How long it learns", ["minutes", "steps", "evaluate-every", "checkpoint-every"]],
    ["The model's size", ["model", "layers", "d-model", "d-ff", "heads", "length", "objective"]],
    [
      "How it learns",
      [
        "batch",
        "accumulate",
        "optimizer",
        "learning-rate",
        "schedule",
        "warmup",
        "weight-decay",
        "clip",
        "seed",
        "deterministic",
      ],
    ],
  ],
  examples: [
    ["finegrain train --out runs/first", "a small sparse model on the speeches that come along"],
    ["finegrain train --data texts/ --model dense --layers 6 --steps 2000", "a dense one on your own text"],
    ["finegrain train --feed-forward grouped --experts 8 --out runs/grouped", "experts that share the work of a group"],
    [
      "finegrain train --init runs/smollm2 --data mine.txt --out runs/mine",
      "let an imported model learn your own text",
    ],
    ["finegrain train --init runs/smollm2 --lora 16 --data mine.txt", "the same by LoRA: in less time and memory"],
    [
      "mpirun -n 4 finegrain train --batch 32 --out runs/four --distributed mpi",
      "four processes that learn together, each a quarter of every batch",
    ],
    ["finegrain train --resume runs/first", "go on where a run was stopped by Ctrl-C"],
    ["finegrain train --resume runs/first --steps 900", "let one that is done learn on"],
  ],
  layerFlags: async () => (await import("./layer-flags.ts")).layerFlags(),
  load: async () => (await import("./run.ts")).train,
});
