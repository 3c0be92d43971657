import { fuse } from "@finegrain/codegen";
import { atOnce, exp, graph, input, type Tensor } from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import { control } from "../src/control.ts";
import { Memory } from "../src/memory.ts";
import { rendering } from "../src/render/render-program.ts";

/** `run0(0, 0)` of the program of exp, as one of two threads, of which the other has failed: who waits for it throws. */
async function runAlone(x: Tensor, profile: boolean): Promise<void> {
  const { memory, import: imported } = new Memory({ wide: false, shared: true });
  const program = fuse(graph({ name: "exp", inputs: [x], outputs: [exp(x)] }), []);
  const target = { wide: false, relaxed: false, threads: 2 };
  const rendered = atOnce(rendering(program, target, { memory: imported, profile }));
  const code = atOnce(rendered.encoding({ arena: 4096, table: 1024, scratch: 8192 }));
  const { instance } = await WebAssembly.instantiate(code, { env: { memory, mark() {} } });
  new Int32Array(memory.buffer)[control.failed / 4] = 1;
  (instance.exports.run0 as (thread: number, maySleep: number) => void)(0, 0);
}

describe.each([{ profile: false }, { profile: true }])("a run with %j waits for every thread", ({ profile }) => {
  test.each([
    ["of kernels", 64],
    ["without kernels", 0],
  ])("in a program %s", async (_, length) => {
    await expect(runAlone(input([length], "float32", "x"), profile)).rejects.toThrow(/unreachable/);
  });
});
