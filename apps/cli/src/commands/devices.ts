import { command } from "../command.ts";
import { jsonFlag } from "./backend-flags.ts";

export const devicesFlags = { ...jsonFlag } as const;

export const devices = command({
  name: "devices",
  summary: "what runs here, and how to add what does not",
  operands: [],
  flags: devicesFlags,
  examples: [["finegrain devices", "a line for every backend and device"]],
  load: async () => (await import("../actions/devices.ts")).devices,
});
