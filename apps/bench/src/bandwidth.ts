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
import { plainSumBandwidth } from "./machine.ts";
import { repeatedNoise } from "./random-weights.ts";

/** Bytes of one buffer, and buffers that a pass reads: together more than any cache holds. */
const ROWS = 16;
const COLUMNS = 2 ** 20;
const BUFFERS = 8;

/** What a method computes from one [ROWS, COLUMNS] buffer: little, and from all of it. */
const METHODS: readonly ((x: Tensor, ones: Tensor) => Tensor)[] = [
  (x) => reduceSum(x, { axes: [1] }),
  (x) => reduceMax(x, { axes: [1] }),
  (x, ones) => einsum(x, ones, "R C, C -> R"),
];

/**
 * Memory bandwidth in bytes a second: the best of a sum, a maximum and a matrix-vector product on the backend over 512 MB,
 * and, where the backend runs on this machine's CPU, of plain sums in threads of ours. It is measured in the same run as
 * what it is compared with, since a machine shared with others has another bandwidth at another time.
 */
export async function measureBandwidth(backend: Backend): Promise<number> {
  const own = isHost(backend) ? await plainSumBandwidth() : 0;
  // The reference evaluator would take minutes for what it never reaches.
  if (backend.device.kind === "reference") return own;
  const noise = repeatedNoise([ROWS, COLUMNS], 1);
  const buffers = Array.from({ length: BUFFERS }, () => backend.upload(noise));
  const ones = backend.upload(hostTensor("float32", [COLUMNS], new Float32Array(COLUMNS).fill(1)));
  try {
    let best = own;
    for (const method of METHODS) best = Math.max(best, await measure(backend, method, buffers, ones));
    return best;
  } finally {
    for (const buffer of [...buffers, ones]) buffer[Symbol.dispose]();
  }
}

/** Whether the backend computes on the CPU whose memory we can read ourselves. */
const isHost = ({ device }: Backend): boolean => ["cpu", "reference"].includes(device.kind);

async function measure(
  backend: Backend,
  method: (typeof METHODS)[number],
  buffers: readonly Buffer[],
  ones: Buffer,
): Promise<number> {
  const x = input([ROWS, COLUMNS], "float32", "buffer");
  const result = method(x, input([COLUMNS], "float32", "ones"));
  using executable = await backend.compile(
    graph({ name: `bandwidth by ${result.op}`, inputs: result.inputs, outputs: [result] }),
  );
  let fastest = Number.POSITIVE_INFINITY;
  for (let pass = 0; pass < 4; pass++) {
    const started = performance.now();
    const outputs = buffers.map((buffer) => executable.run(result.inputs.map((y) => (y === x ? buffer : ones)))[0]!);
    for (const output of outputs) await output.read();
    // The first pass touches everything for the first time.
    if (pass > 0) fastest = Math.min(fastest, (performance.now() - started) / 1000);
    for (const output of outputs) output[Symbol.dispose]();
  }
  return (BUFFERS * ROWS * COLUMNS * 4) / fastest;
}
