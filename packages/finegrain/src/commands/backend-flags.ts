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

export const threadsFlag = {
  threads: {
    type: "whole",
    value: "N",
    least: 1,
    help: "onnx and wasm: threads to compute in; default one for every processor, and of several ranks on a machine each its part",
  },
} as const satisfies Flags;

export const ranksFlag = {
  distributed: {
    type: "text",
    value: "mpi",
    help: "be one of the ranks that mpirun or Slurm started; mpi:PATH names the library of MPI where it is not found",
  },
} as const satisfies Flags;

export const expertRanksFlag = {
  "expert-parallel": {
    type: "switch",
    help: "with --distributed: share the experts of expert layers out among the ranks, in place of all experts on every rank",
  },
} as const satisfies Flags;

export const textFieldFlag = {
  "text-field": { type: "text", value: "NAME", help: 'the field of JSONL lines that is their text (default "text")' },
  pairs: {
    type: "switch",
    help: "the data is JSONL of pairs: lines with what is read, source, and what follows it, target",
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
    choices: ["float16", "int8", "int4"],
    help: "keep large weights in so many bits, where the backend can (wasm, webgpu)",
  },
} as const satisfies Flags;
