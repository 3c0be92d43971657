import { command } from "../../command.ts";

export const reportFlags = {
  out: { type: "text", value: "DIR", help: "the folder that gets index.html", default: "report" },
} as const;

export const report = command({
  name: "report",
  summary: "make one page of charts from results and training runs",
  operands: [
    {
      name: "FILE",
      required: true,
      repeated: true,
      help: "results of `finegrain bench --json`, of any machines, and metrics.jsonl of training runs",
    },
  ],
  flags: reportFlags,
  examples: [
    ["finegrain report results.jsonl --out report", "report/index.html: one file, no network needed"],
    [
      "finegrain report laptop.jsonl server.jsonl runs/*/metrics.jsonl",
      "machines beside each other, and training curves",
    ],
  ],
  load: async () => (await import("./run.ts")).report,
});
