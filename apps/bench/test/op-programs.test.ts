import { cost, graph, referenceBackend } from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import { prepareOp } from "../src/cases/op-case.ts";
import { OP_KINDS, opExtents, opProgram } from "../src/cases/op-programs.ts";

/** Extents that differ, so that none stands for another. */
const shapeOf = (extents: readonly string[]) => Object.fromEntries(extents.map((name, i) => [name, 5 + 2 * i]));

describe.each(OP_KINDS)("%s", (kind) => {
  const shape = shapeOf(opExtents(kind));

  test("says of its arithmetic and traffic what the graph says", () => {
    const { output, flops, bytes } = opProgram(kind, shape);
    const said = cost(graph({ inputs: output.inputs, outputs: [output] }));
    // Softmax has no rule of its own in the graph: an operation an element.
    expect(flops).toBe(kind === "softmax" ? 5 * said.flops : said.flops);
    expect(bytes).toBe(said.bytes);
  });

  test("runs, and is compared with what limits it", async () => {
    await using prepared = await prepareOp(referenceBackend(), kind, { name: "small", quick: true, shape });
    expect(await prepared.contestants[0]!.round()).toBeGreaterThan(0);
    const rounds = new Map([["small", { seconds: [2, 2, 2] }]]);
    const { flops, bytes } = opProgram(kind, shape);
    const limits = { bandwidth: bytes, bandwidthMethod: "one", flopRate: Infinity, flopMethod: "none" };
    expect(prepared.figures(rounds, limits)).toMatchObject({
      op: kind,
      milliseconds: { median: 2000 },
      intensity: flops / bytes,
      bytesPerSecond: bytes / 2,
      rooflineShare: 0.5, // a second would do, by the bandwidth
    });
    const slow = { ...limits, bandwidth: Infinity, flopRate: Math.max(1, flops / 8) };
    expect(prepared.figures(rounds, slow)).toMatchObject({ rooflineShare: flops === 0 ? 0 : 4 });
  });
});
