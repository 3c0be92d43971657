// @module-tag webgpu
import { add, graph, hostTensor, input } from "@finegrain/graph";
import { expect, test } from "vitest";
import { webgpuBackend } from "../src/index.ts";
import { alteredGpu } from "./altered-gpu.ts";

test("a small output that was read comes with every later run, at no command of its own", async () => {
  let encoders = 0;
  const gpu = await alteredGpu((device) => ({
    createCommandEncoder: (descriptor) => {
      encoders++;
      return device.createCommandEncoder(descriptor);
    },
  }));
  await using backend = await webgpuBackend({ gpu });
  const [x, y] = [input([3]), input([3])];
  using sum = await backend.compile(graph({ name: "sum", inputs: [x, y], outputs: [add(x, y)] }));
  const given = (value: number) => backend.upload(hostTensor("float32", [3], new Float32Array(3).fill(value)));
  const one = given(1);
  const commands = async (values: readonly number[]) => {
    encoders = 0;
    const outputs = values.map((value) => sum.run([one, given(value)])[0]!);
    const read = await Promise.all(outputs.map((output) => output.read()));
    expect(read.map(({ data }) => [...data])).toEqual(values.map((value) => [value + 1, value + 1, value + 1]));
    for (const [k, output] of outputs.entries()) expect((await output.read()).data).toEqual(read[k]!.data);
    return encoders;
  };
  expect(await commands([1])).toBe(3);
  expect(await commands([2, 3])).toBe(2);
});
