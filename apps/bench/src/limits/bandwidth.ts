import {
  type Backend,
  type Buffer,
  einsum,
  graph,
  hostTensor,
  input,
  reduceMax,
  reduceSum,
  type Tensor,
} from "@finegrain/graph";
import { repeatedNoise } from "../cases/random-weights.ts";
import { isOnHost } from "../measure/machine.ts";
import { type Contestant, runsOfRound } from "../measure/method.ts";
import { repeat } from "../measure/repeat.ts";
import type { Probe } from "./limits.ts";
import { plainSums } from "./plain-sums.ts";

/** One buffer, and how many a pass reads: 512 MB together, more than any cache holds. Rows enough for every lane of a GPU. */
const ROWS = 4096;
const COLUMNS = 4096;
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
  const executables: Disposable[] = [];
  for (const [name, method] of Object.entries(METHODS)) {
    const all = buffers.map((_, k) => input([ROWS, COLUMNS], "float32", `buffer ${k}`));
    const vector = input([COLUMNS], "float32", "ones");
    const results = all.map((x) => method(x, vector));
    const inputs = results[0]!.inputs.includes(vector) ? [...all, vector] : all; // there are buffers
    const executable = await backend.compile(graph({ name: `bandwidth by ${name}`, inputs, outputs: results }));
    executables.push(executable);
    const operands = [...buffers, ones].slice(0, inputs.length);
    const pass = (times: number): Promise<number> => repeat(executable, operands, { times, finish: readAll });
    await pass(1); // the first one is not like those behind it
    const passes = runsOfRound(await pass(1)); // a GPU reads 512 MB in less than a millisecond
    const round = async () => (await pass(passes)) / BYTES;
    contestants.push({ name: `${name} on ${backend.name}`, round });
  }
  return {
    contestants,
    [Symbol.dispose]() {
      for (const resource of [...executables, ...buffers, ones]) resource[Symbol.dispose]();
    },
  };
}

async function readAll(buffers: readonly Buffer[]): Promise<void> {
  for (const buffer of buffers) await buffer.read();
}
