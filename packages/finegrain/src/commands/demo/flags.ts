import { command } from "../../command.ts";
import { backendFlags } from "../backend-flags.ts";

export const demoFlags = {
  out: {
    type: "text",
    value: "DIR",
    help: "the folder for the runs; default runs/demo, with a number where it exists",
  },
  steps: {
    type: "whole",
    value: "N",
    least: 1,
    help: "optimizer steps of each run; default as many as the first does in forty seconds",
  },
  ...backendFlags,
} as const;

export const demo = command({
  name: "demo",
  summary: "the whole thing in four minutes: train a sparse and a dense model twice, compare, let both write",
  operands: [],
  flags: demoFlags,
  examples: [["finegrain demo", "what npm start runs"]],
  load: async () => (await import("./run.ts")).demo,
});
