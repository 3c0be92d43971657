import { asProduct, fuse, type Product } from "@finegrain/codegen";
import { einsum, graph, input } from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import { type LanesPlan, planLanes } from "../src/render/products/plan-lanes.ts";
import { isWorthTiles, lanesOfTiles, planTiles, type TilesPlan } from "../src/render/products/plan-tiles.ts";
import type { Target } from "../src/render/target.ts";

const memory = { workgroupBytes: 2 ** 15, bindingBytes: 2 ** 27 };
const cpu: Target = { lanes: 8, wanted: 32, subgroup: 8, cpu: true, cores: 2, tiles: false, half: false, ...memory };
const gpu: Target = {
  lanes: 256,
  wanted: 2 ** 17,
  subgroup: 32,
  cpu: false,
  cores: 1,
  tiles: true,
  half: false,
  ...memory,
};

type Operands = [spec: string, x: readonly number[], y: readonly number[]];

/** The product that an einsum is fused into. */
function productOf([spec, x, y]: Operands): Product {
  const inputs = [input(x), input(y)] as const;
  const [kernel] = fuse(graph({ name: spec, inputs, outputs: [einsum(...inputs, spec)] })).kernels;
  const product = kernel?.kind === "loop" ? asProduct(kernel) : undefined;
  if (!product) throw new Error(`${spec} is fused into no product`);
  return product;
}

describe("a plan in lanes", () => {
  const token: Operands = ["T D, D F -> T F", [1, 1024], [1024, 4096]];
  const transposed: Operands = ["T D, F D -> T F", [1, 1024], [4096, 1024]];
  const rows: Operands = ["M D, D F -> M F", [16, 1024], [1024, 512]];
  const few: Operands = ["T D, F D -> T F", [1, 1024], [16, 1024]];
  const heads: Operands = ["H D, H S D -> H S", [8, 64], [8, 256, 64]];

  test.each<[string, Operands, Target, number | undefined, Partial<LanesPlan>]>([
    ["of a token on a CPU reads vectors of columns", token, cpu, undefined, { wide: true, rows: 1, columns: 4 }],
    ["of a token on a GPU cuts the sums", token, gpu, undefined, { wide: true, columns: 1, parts: 32 }],
    [
      "of rows of weights has vectors along the sum",
      transposed,
      cpu,
      undefined,
      { wide: false, single: true, reach: 4 },
    ],
    [
      "of rows of weights on a GPU has neighbours in one sum",
      transposed,
      gpu,
      undefined,
      { along: true, single: false },
    ],
    ["of many rows on a CPU gives a lane eight of them", rows, cpu, undefined, { rows: 8, shared: true, together: 1 }],
    ["of many rows on a GPU gives a lane four", rows, gpu, undefined, { rows: 4, shared: false }],
    ["of few columns cuts the sums on a CPU too", few, cpu, undefined, { columns: 1, parts: 2, shared: false }],
    ["of a chain's rows of whole heads", heads, cpu, 256, { columns: 4, parts: 1 }],
  ])("%s", (_, operands, target, row, expected) => {
    expect(planLanes(productOf(operands), target, row)).toMatchObject(expected);
  });

  test.each<[string, Operands, Target, number | undefined]>([
    ["whose operand cannot be read in vectors", ["T D, D F -> T F", [1, 7], [7, 5]], cpu, undefined],
    ["of a chain on a GPU", heads, gpu, 256],
    ["of a chain whose rows are cut within a vector", heads, cpu, 4],
    ["of a chain whose rows share a column", rows, cpu, 512],
  ])("there is none %s", (_, operands, target, row) => {
    expect(planLanes(productOf(operands), target, row)).toBeUndefined();
  });
});

describe("a plan in tiles", () => {
  const square = (n: number): Operands => ["M K, K N -> M N", [n, n], [n, n]];

  test.each<[string, Operands, Target, boolean]>([
    ["a large product on a GPU", square(512), gpu, true],
    ["one with fewer tiles than are worth it on a GPU", square(64), gpu, false],
    ["the same on a CPU", square(64), cpu, true],
    ["one of a few rows", ["M K, K N -> M N", [4, 512], [512, 512]], gpu, false],
    ["one of a short sum", ["M K, K N -> M N", [512, 4], [4, 512]], gpu, false],
  ])("%s", (_, operands, target, worth) => {
    expect(isWorthTiles(productOf(operands), target)).toBe(worth);
  });

  test.each<[string, Operands[], Target, number]>([
    ["large workgroups where there are many tiles", [square(2048)], gpu, 256],
    ["small ones where one of several products has few", [square(2048), square(512)], gpu, 64],
    ["small ones on a CPU", [square(2048)], cpu, 64],
    ["small ones where their memory is too little", [square(2048)], { ...gpu, workgroupBytes: 2 ** 14 }, 64],
  ])("has %s", (_, operands, target, lanes) => {
    expect(lanesOfTiles(operands.map(productOf), target)).toBe(lanes);
  });

  const whole = { tile: 128, own: 8, stride: 33 };
  test.each<[string, Operands, Partial<Target>, object]>([
    ["many large ones", square(2048), { lanes: 256 }, { rows: whole, columns: whole, side: 16, down: 16, across: 16 }],
    ["smaller ones for fewer", square(256), { lanes: 64 }, { rows: { tile: 32, own: 4 }, down: 8, across: 8 }],
    ["a side cut behind its end", ["M K, K N -> M N", [40, 64], [64, 2048]], { lanes: 64 }, { down: 2, across: 64 }],
    [
      "operands as they lie",
      square(512),
      { lanes: 64 },
      { rows: { contiguous: false }, columns: { contiguous: true } },
    ],
    [
      "halves, of which four are summed at once",
      square(512),
      { lanes: 64, half: true },
      { type: "vec4h", unrolled: 4 },
    ],
  ])("has %s", (_, operands, changes, expected) => {
    const plan: TilesPlan = planTiles(productOf(operands), { ...gpu, ...changes });
    expect(plan).toMatchObject(expected);
  });
});
