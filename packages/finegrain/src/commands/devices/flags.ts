import { command } from "../../command.ts";
import { jsonFlag } from "../backend-flags.ts";

export const devicesFlags = {
  only: { type: "text", value: "BACKEND:DEVICE", help: "look at this one alone" },
  ...jsonFlag,
} as const;

export const devices = command({
  name: "devices",
  summary: "what runs here, and how to add what does not",
  operands: [],
  flags: devicesFlags,
  examples: [
    ["finegrain devices", "a line for every backend and device"],
    ["finegrain devices --only onnx:cuda", "whether one is there, and what it needs"],
  ],
  load: async () => (await import("./run.ts")).devices,
});
