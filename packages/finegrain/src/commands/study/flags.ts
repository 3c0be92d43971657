import { command } from "../../command.ts";
import { backendFlags } from "../backend-flags.ts";

export const studyFlags = {
  json: {
    type: "text",
    value: "FILE",
    help: "the results, one JSON object a line: what it holds is not run again; default the study's name and .jsonl",
  },
  out: { type: "text", value: "DIR", help: "where the runs' folders are; default runs/ and the study's name" },
  "no-speed": { type: "switch", help: "leave out the measuring of steps and tokens when all runs have ended" },
  ...backendFlags,
} as const;

export const study = command({
  name: "study",
  summary: "train models alike, each at its best rate, with several seeds, and compare them",
  operands: [{ name: "FILE", required: true, help: "the study's JSON file, such as benchmarks/studies/quality.json" }],
  flags: studyFlags,
  examples: [
    ["finegrain study benchmarks/studies/quality.json", "goes on where it was stopped"],
    ["finegrain report quality.jsonl --out report", "its curves and its table"],
  ],
  load: async () => (await import("./run.ts")).study,
});
