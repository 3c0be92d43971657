import { fuse } from "@finegrain/codegen";
import { decodeGraph } from "@finegrain/generate";
import { atOnce, donations } from "@finegrain/graph";
import { presets, scalingLM } from "@finegrain/nn";
import { expect, test } from "vitest";
import { rendering } from "../src/render/render-program.ts";

test.each(["paper-800m-dense", "paper-800m-sparse"] as const)(
  "a decode step of %s, 24 layers, is a small module, made fast",
  async (name) => {
    const { graph, donate } = decodeGraph(scalingLM(presets[name]), { tokens: 1, capacity: 512 });
    const started = performance.now();
    const program = fuse(graph, donations(graph, donate));
    const target = { wide: false, relaxed: false, threads: 2 };
    const memory = { initial: 1, maximum: 65536, shared: true, wide: false };
    const rendered = atOnce(rendering(program, target, { memory, profile: false }));
    const bytes = atOnce(rendered.encoding({ arena: 1024, table: 1024, scratch: 1024 }));
    await WebAssembly.compile(bytes);
    expect((performance.now() - started) / 1000, "seconds").toBeLessThan(6);
    expect(bytes.length, "bytes").toBeLessThan(2 * 2 ** 20);
    // Layers share their kernels.
    const functions = new Set(rendered.steps.map(({ index }) => index)).size;
    expect(functions).toBeLessThan(rendered.steps.length / 10);
  },
);
