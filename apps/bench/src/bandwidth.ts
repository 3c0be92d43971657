import {
  type Backend,
  type Buffer,
  type Executable,
  einsum,
  graph,
  hostTensor,
  input,
  reduceMax,
  reduceSum,
  type Tensor,
} from "@finegrain/graph";
import type { Probe } from "./limits.ts";
import { isOnHost } from "./machine.ts";
import type { Contestant } from "./method.ts";
import { plainSums } from "./plain-sums.ts";
import { repeatedNoise } from "./random-weights.ts";

/** One buffer, and how many a pass reads: 512 MB together, more than any cache holds. */
const ROWS = 16;
const COLUMNS = 2 ** 20;
const BUFFERS = 8;
const BYTES = BUFFERS * ROWS * COLUMNS * 4;

/** What a method computes from one [ROWS, COLUMNS] buffer: little, and from all of it. */
const METHODS: Readonly<Record<string, (x: Tensor, ones: Tensor) => Tensor>> = {
  sum: (x) => reduceSum(x, { axes: [1] }),
  maximum: (x) => reduceMax(x, { axes: [1] }),
  product: (x, ones) => einsum(x, ones, "R C, C -> R"),
};

/**
 * The memory's bandwidth: a sum, a maximum and a matrix-vector product on the backend over 512 MB, and, where the backend
 * runs on this machine's CPU, plain sums in threads of ours. They take turns with the variants, since a machine that is
 * shared with others has another bandwidth every second.
 */
export async function prepareBandwidth(backend: Backend): Promise<Probe> {
  const plain = isOnHost(backend) ? plainSums(BYTES) : undefined;
  // The reference evaluator would take minutes for what it never reaches.
  const own = backend.device.kind === "reference" ? undefined : await onBackend(backend);
  const contestants = [
    ...(plain ? [{ name: "plain sums in threads", round: () => plain.secondsPerByte() }] : []),
    ...(own?.contestants ?? []),
  ];
  return {
    contestants,
    async [Symbol.asyncDispose]() {
      await plain?.[Symbol.asyncDispose]();
      own?.[Symbol.dispose]();
    },
  };
}

interface OnBackend extends Disposable {
  readonly contestants: readonly Contestant[];
}

async function onBackend(backend: Backend): Promise<OnBackend> {
  const noise = repeatedNoise([ROWS, COLUMNS], 1);
  const buffers = Array.from({ length: BUFFERS }, () => backend.upload(noise));
  const ones = backend.upload(hostTensor("float32", [COLUMNS], new Float32Array(COLUMNS).fill(1)));
  const contestants: Contestant[] = [];
  const executables: Executable[] = [];
  for (const [name, method] of Object.entries(METHODS)) {
    const x = input([ROWS, COLUMNS], "float32", "buffer");
    const result = method(x, input([COLUMNS], "float32", "ones"));
    const program = graph({ name: `bandwidth by ${name}`, inputs: result.inputs, outputs: [result] });
    const executable = await backend.compile(program);
    executables.push(executable);
    const operands = (buffer: Buffer) => result.inputs.map((operand) => (operand === x ? buffer : ones));
    contestants.push({ name: `${name} on ${backend.name}`, round: () => readAll(executable, buffers.map(operands)) });
  }
  return {
    contestants,
    [Symbol.dispose]() {
      for (const resource of [...executables, ...buffers, ones]) resource[Symbol.dispose]();
    },
  };
}

/** @returns seconds a byte. */
async function readAll(executable: Executable, runs: readonly (readonly Buffer[])[]): Promise<number> {
  const started = performance.now();
  const outputs = runs.map((operands) => executable.run(operands)[0]!);
  for (const output of outputs) await output.read();
  const seconds = (performance.now() - started) / 1000;
  for (const output of outputs) output[Symbol.dispose]();
  return seconds / BYTES;
}
