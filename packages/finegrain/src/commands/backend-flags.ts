import type { Flags } from "../arguments.ts";

/** Which backend runs a command, and on which of its devices. */
export const backendFlags = {
  backend: {
    type: "text",
    value: "NAME",
    help: "what runs it: see finegrain devices; default onnx, or wasm where that is not installed",
  },
  device: {
    type: "text",
    value: "NAME",
    help: "one of the backend's devices, such as cpu, webgpu or cuda; default its own choice",
  },
} as const satisfies Flags;

export const jsonFlag = {
  json: { type: "switch", help: "print JSON for machines, and nothing for people" },
} as const satisfies Flags;

export const contextFlag = {
  context: {
    type: "whole",
    value: "N",
    least: 1,
    help: "see N tokens at a time, in a window that slides by half of them; more than it was trained with where positions are rotary or none",
  },
} as const satisfies Flags;

export const quantizeFlag = {
  quantize: {
    type: "choice",
    choices: ["float16", "int8"],
    help: "keep large weights in so many bits, where the backend can (wasm)",
  },
} as const satisfies Flags;
