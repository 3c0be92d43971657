import { fuse, type LoopKernel } from "@finegrain/codegen";
import { einsum, graph, input } from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import { type ColumnsPlan, planColumns } from "../src/render/products/plan-columns.ts";
import { planRows, type RowsPlan } from "../src/render/products/plan-rows.ts";
import { planTiles, type TilesPlan } from "../src/render/products/plan-tiles.ts";
import { planProduct } from "../src/render/products/product.ts";

type Operands = [spec: string, x: readonly number[], y: readonly number[]];

/** The kernel that an einsum is fused into. */
function kernelOf([spec, x, y]: Operands): LoopKernel {
  const inputs = [input(x), input(y)] as const;
  const outputs = [einsum(...inputs, spec)];
  const kernel = fuse(graph({ name: spec, inputs, outputs })).kernels.at(-1);
  if (kernel?.kind !== "loop") throw new Error(`${spec} is fused into no loops`);
  return kernel;
}

/** The product that an einsum is fused into. */
function productOf(operands: Operands) {
  const plan = planProduct(kernelOf(operands));
  if (!plan) throw new Error(`${operands[0]} is fused into no product`);
  return plan.product;
}

const token: Operands = ["T D, D F -> T F", [1, 1024], [1024, 4096]];
const transposed: Operands = ["T D, F D -> T F", [1, 1024], [4096, 1024]];
const square = (n: number): Operands => ["M K, K N -> M N", [n, n], [n, n]];

describe("a product is written", () => {
  test.each<[string, Operands, string | undefined]>([
    ["along the rows of weights that lie along the sum", transposed, "rows"],
    ["so too for some tokens", ["T D, F D -> T F", [16, 64], [100, 64]], "rows"],
    ["in passes over the result where weights lie along that", token, "columns"],
    ["so too for a few tokens", ["T D, D F -> T F", [4, 64], [64, 100]], "columns"],
    ["so too for some, four at a time", ["T D, D F -> T F", [12, 64], [64, 100]], "columns"],
    ["along the sum for any tokens of several modules", ["B S D, F D -> S B F", [40, 4, 64], [100, 64]], "rows"],
    ["in tiles for more", ["T D, D F -> T F", [5, 64], [64, 100]], "tiles"],
    ["in tiles for many, however the weights lie", ["T D, F D -> T F", [17, 64], [100, 64]], "tiles"],
    ["in loops where it is small", ["T D, D F -> T F", [5, 8], [8, 16]], undefined],
    [
      "in loops where two loops are summed that cannot be one",
      ["T A B, A F B -> T F", [5, 8, 8], [8, 64, 8]],
      undefined,
    ],
  ])("%s", (_, operands, way) => {
    expect(planProduct(kernelOf(operands))?.way).toBe(way);
  });
});

describe("a plan of rows", () => {
  test.each<[string, Operands, Partial<RowsPlan>]>([
    ["has eight rows of weights for a token", transposed, { few: 1, block: 8, vectors: 1 }],
    ["has fewer for more tokens", ["T D, F D -> T F", [4, 64], [96, 64]], { few: 4, block: 2, vectors: 1 }],
    ["has as many as divide", ["T D, F D -> T F", [1, 64], [98, 64]], { few: 1, block: 2, vectors: 4 }],
    ["has several sums of one row", ["T D, F D -> T F", [1, 64], [99, 64]], { few: 1, block: 1, vectors: 8 }],
    [
      "takes those of one loop where there are two",
      ["B S D, F D -> S B F", [9, 5, 64], [96, 64]],
      { few: 3, block: 2 },
    ],
    ["takes tokens three at a time", ["T D, F D -> T F", [9, 64], [96, 64]], { few: 3, block: 2 }],
  ])("%s", (_, operands, expected) => {
    expect(planRows(productOf(operands))).toMatchObject(expected);
  });
});

describe("a plan of columns", () => {
  const few = (t: number, d: number): Operands => ["T D, D F -> T F", [t, d], [d, 100]];
  test.each<[string, Operands, boolean, Partial<ColumnsPlan>]>([
    ["has rows far apart in a pass", few(1, 64), false, { block: 8, passes: 8, apart: 8, step: 1, rest: 64 }],
    ["has them side by side where the sum may end", few(1, 64), true, { apart: 1, step: 8, ends: true }],
    ["does not end within a pass", few(1, 66), true, { apart: 8, step: 1, ends: false, rest: 64 }],
    ["has fewer rows in a pass of several tokens", few(4, 64), false, { block: 4, passes: 16, unrolled: 1 }],
    ["takes more tokens four at a time", few(12, 64), false, { vectors: 12, few: 4, block: 4 }],
    ["adds the rows of a short sum one by one", few(1, 5), false, { passes: 0, first: 1, rest: 1 }],
  ])("%s", (_, operands, ends, expected) => {
    expect(planColumns(productOf(operands), ends)).toMatchObject(expected);
  });
});

describe("a plan in tiles", () => {
  const plain = { wide: false, relaxed: false, threads: 2 };
  const packed = { packed: true, across: 1 };
  test.each<[string, Operands, Partial<typeof plain>, object]>([
    ["has ten sums", square(512), {}, { tall: 5, turns: 2, factorsInVectors: false, x: { ...packed, step: 5 } }],
    ["has twelve where products are fused", square(512), { relaxed: true }, { tall: 6, x: { ...packed, step: 6 } }],
    [
      "takes factors from vectors in a 64-bit memory",
      square(512),
      { wide: true, relaxed: true },
      { tall: 5, turns: 4 },
    ],
    ["has tiles of one height", ["T D, D F -> T F", [26, 64], [64, 100]], { relaxed: true }, { tall: 6 }],
    ["reads few rows as they lie", ["T D, D F -> T F", [24, 64], [64, 100]], {}, { x: { packed: false, across: 64 } }],
    ["has no odd sum in two turns", ["T D, D F -> T F", [32, 65], [65, 100]], {}, { turns: 1 }],
    ["has one block of what is small", square(64), { threads: 1 }, { rows: 64, columns: 64, units: 1, own: 1 }],
    ["has one for each thread", square(64), {}, { rows: 64, columns: 32, units: 2, own: 1 }],
    ["has blocks that stay in the cache", square(2048), {}, { rows: 30, columns: 64, units: 69 * 32, own: 69 * 16 }],
    ["has as many for each thread", square(2048), { threads: 3 }, { columns: 64, units: 69 * 32, own: 736 }],
    [
      "has no more than columns",
      ["M K, K N -> M N", [64, 64], [64, 20]],
      { threads: 4, relaxed: true },
      { n: 20, columns: 8, units: 3, own: 1 },
    ],
    ["shares a batch", ["B M K, B K N -> B M N", [3, 64, 64], [3, 64, 64]], {}, { columns: 32, units: 6, own: 3 }],
    ["leaves many whole", ["B M K, B K N -> B M N", [4, 64, 64], [4, 64, 64]], {}, { columns: 64, units: 4, own: 2 }],
  ])("%s", (_, operands, target, expected) => {
    const plan: TilesPlan = planTiles(productOf(operands), { ...plain, ...target });
    expect(plan).toMatchObject(expected);
    expect(plan.scratch.y).toBeLessThanOrEqual(plan.scratch.tile);
    expect(plan.scratch.end - plan.scratch.tile).toBe(4 * 8 * plan.tall);
  });
});
