import { expect, test } from "vitest";
import {
  einsum,
  evaluate,
  fromInt4,
  gather,
  graph,
  type HostTensor,
  hostTensor,
  input,
  int4Products,
  type Shape,
  size,
  type Tensor,
  transpose,
} from "../src/index.ts";

const [ROWS, WIDTH] = [6, 64];

const numbers = (shape: Shape, seed: number): HostTensor =>
  hostTensor(
    "float32",
    shape,
    Float32Array.from({ length: size(shape) }, (_, i) => Math.sin(seed + 12.9898 * i)),
  );

/** The table's inputs and their values, and the table [ROWS, WIDTH]. */
function packed() {
  const [words, scale, min] = [input([ROWS, WIDTH / 8], "int32"), input([ROWS, 2]), input([ROWS, 2])];
  const bits = Int32Array.from({ length: size(words.shape) }, (_, i) => Math.imul(i + 1, 0x9e3779b1));
  const values = [hostTensor("int32", words.shape, bits), numbers(scale.shape, 1), numbers(min.shape, 2)];
  return { inputs: [words, scale, min], values, table: fromInt4(words, scale, min) };
}

const ops = (of: { readonly nodes: readonly Tensor[] }): string[] => of.nodes.map(({ op }) => op);

test.each<[string, readonly number[], (x: Tensor, table: Tensor) => Tensor]>([
  ["with rows", [2, 3, WIDTH], (x, table) => einsum(x, table, "B T D, V D -> B T V")],
  [
    "with a matrix that is stored by its columns",
    [2, 3, WIDTH],
    (x, t) => einsum(x, transpose(t, [1, 0]), "B T I, I O -> B T O"),
  ],
])("a product %s is one of whole numbers, and picked rows are unpacked alone", (_, shape, product) => {
  const { inputs, values, table } = packed();
  const x = input(shape);
  const rows = input([2], "int32");
  const exact = graph({ inputs: [x, rows, ...inputs], outputs: [product(x, table), gather(table, rows)] });
  const made = int4Products(exact);
  expect(ops(made)).toContain("int4Product");
  expect(ops(made)).not.toContain("einsum");
  expect(made.nodes.find(({ op }) => op === "gather")!.inputs[0]!.dtype).toBe("int32");
  const given = [numbers(shape, 3), hostTensor("int32", [2], [5, 1]), ...values];
  const [[expected, picked], [found, same]] = [exact, made].map((of) => evaluate(of, given)) as [
    HostTensor[],
    HostTensor[],
  ];
  expect(same!.data).toEqual(picked!.data);
  // Each number of x is rounded by at most a 254th of its group's largest.
  const most = Math.max(...expected!.data.map(Math.abs));
  for (const [i, y] of found!.data.entries()) expect(Math.abs(y - expected!.data[i]!)).toBeLessThan(0.01 * most);
});

test("rows that one vector picks are multiplied as they are stored; several vectors' own rows are unpacked", () => {
  for (const batch of [1, 2]) {
    const { inputs, table } = packed();
    const [x, rows] = [input([batch, 1, WIDTH]), input([batch, 1, 3], "int32")];
    const picked = einsum(x, gather(table, rows), "B T D, B T G D -> B T G");
    const made = int4Products(graph({ inputs: [x, rows, ...inputs], outputs: [picked] }));
    expect(ops(made).includes("int4Product")).toBe(batch === 1);
  }
});

test.each<[string, Shape, (x: Tensor, table: Tensor) => Tensor]>([
  ["a sum over rows", [2, ROWS], (x, table) => einsum(x, table, "B F, F D -> B D")],
  ["a product that is stored the other way round", [2, WIDTH], (x, table) => einsum(table, x, "V D, N D -> V N")],
])("%s is left as it is", (_, shape, product) => {
  const { inputs, table } = packed();
  const x = input(shape);
  expect(ops(int4Products(graph({ inputs: [x, ...inputs], outputs: [product(x, table)] })))).toContain("einsum");
});
