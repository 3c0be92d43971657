import { generationDefaults } from "@finegrain/runs/defaults";
import { command } from "../../command.ts";
import { backendFlags, contextFlag, quantizeFlag } from "../backend-flags.ts";
import { runOperand } from "../run-operand.ts";

export const generateFlags = {
  prompt: { type: "text", value: "TEXT", short: "p", help: "what the text begins with; default what stdin holds" },
  source: {
    type: "text",
    value: "TEXT",
    help: "what the text is to follow, of a model with an encoder; --prompt is then what the text begins with, if it is said",
  },
  "max-tokens": {
    type: "whole",
    value: "N",
    least: 1,
    default: generationDefaults.maxTokens,
    short: "n",
    help: "tokens to write",
  },
  temperature: {
    type: "number",
    value: "X",
    least: 0,
    default: generationDefaults.temperature,
    help: "above 1 bolder, below 1 safer; 0 is --greedy",
  },
  "top-k": { type: "whole", value: "N", least: 1, help: "draw from the N most likely tokens only" },
  "top-p": {
    type: "number",
    value: "X",
    above: 0,
    most: 1,
    help: "draw from the most likely tokens that together reach this probability",
  },
  "min-p": {
    type: "number",
    value: "X",
    least: 0,
    most: 1,
    help: "draw from the tokens that are at least so likely beside the most likely one",
  },
  "repetition-penalty": {
    type: "number",
    value: "X",
    above: 0,
    help: "above 1: what prompt and text have already is less likely",
  },
  "presence-penalty": {
    type: "number",
    value: "X",
    help: "above 0: what was written already is less likely",
  },
  "log-probabilities": {
    type: "whole",
    value: "N",
    least: 0,
    help: "with --json: how likely each token was, and the N most likely ones beside it",
  },
  greedy: { type: "switch", help: "always take the most likely token" },
  chat: { type: "switch", help: "answer the prompt, by the chat template of a model that others trained" },
  system: { type: "text", value: "TEXT", help: "with --chat: what the model is told to be" },
  stop: { type: "texts", value: "TEXT", help: "end before this text; may be given more than once" },
  draft: {
    type: "text",
    value: "RUN",
    help: "a faster run with the same tokenizer: it drafts tokens and the other checks several at once, for the same text sooner",
  },
  ...contextFlag,
  seed: { type: "whole", value: "N", least: 0, default: generationDefaults.seed, help: "decides what is drawn" },
  ...backendFlags,
  ...quantizeFlag,
  json: { type: "switch", help: "print one JSON object at the end, with text, tokens, why it ended and speed" },
} as const;

export const generate = command({
  name: "generate",
  summary: "let a trained model write",
  operands: [runOperand],
  flags: generateFlags,
  examples: [
    ['finegrain generate runs/first --prompt "The state of the Union is " -n 300', "write on from a prompt"],
    ['finegrain generate SmolLM2-135M.gguf --chat --prompt "What is gravity?"', "a question to a model of others"],
    [
      'finegrain generate runs/dense --draft runs/sparse --prompt "We "',
      "the dense model's text, drafted by a sparse one",
    ],
    ["finegrain generate runs/first --greedy --json < prompt.txt", "for a script: the prompt from a file, JSON out"],
  ],
  load: async () => (await import("./run.ts")).generate,
});
