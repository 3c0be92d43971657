/** A program that opens the WebAssembly engine and doubles numbers on it, as whoever installs the packages writes it. */
export const double = (options: object): string => `
import { graph, hostTensor, input, mul } from "@finegrain/graph";
import { wasmBackend } from "@finegrain/backend-wasm";

async function double() {
  const backend = await wasmBackend(${JSON.stringify(options)});
  const x = input([4], "float32", "x");
  const twice = await backend.compile(graph({ inputs: [x], outputs: [mul(x, 2)] }));
  const [y] = twice.run([backend.upload(hostTensor("float32", [4], [1, 2, 3, 4]))]);
  const { data } = await y.read();
  await backend[Symbol.asyncDispose]();
  return { threads: backend.device.threads, data: [...data] };
}
export const result = double().catch((error) => ({ error: error.message }));
`;

/** What comes of it on so many threads. */
export const doubled = (threads: number) => ({ threads, data: [2, 4, 6, 8] });
