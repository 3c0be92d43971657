import {
  add,
  argMax,
  type Backend,
  cachedAttention,
  einsum,
  gather,
  graph,
  hostTensor,
  input,
  reduceMax,
  relu,
  reshape,
  type Tensor,
} from "@finegrain/graph";
import { test } from "vitest";
import { randomValue } from "./random-value.ts";
import { expectAgreement } from "./run-graph.ts";

const extents = { B: 3, M: 13, N: 27, K: 37, D: 64, F: 100, L: 200, P: 130, one: 1, two: 2, four: 4, twelve: 12 };

const cases: [spec: string, ...shapes: (readonly (keyof typeof extents)[])[]][] = [
  ["M K, K N -> M N", ["L", "P"], ["P", "F"]],
  ["M K, N K -> M N", ["L", "P"], ["F", "P"]],
  ["K M, K N -> M N", ["P", "L"], ["P", "F"]],
  ["K M, N K -> N M", ["K", "M"], ["N", "K"]],
  ["B M K, B K N -> B M N", ["B", "L", "K"], ["B", "K", "N"]],
  ["B M K, B N K -> B M N", ["B", "M", "D"], ["B", "N", "D"]],
  ["B T D, D F -> B T F", ["B", "M", "D"], ["D", "F"]],
  ["T D, T F -> D F", ["L", "D"], ["L", "F"]],
  ["M K, K N -> M N", ["one", "D"], ["D", "F"]],
  ["M K, N K -> M N", ["one", "D"], ["F", "D"]],
  ["M K, K N -> M N", ["two", "K"], ["K", "N"]],
  ["M K, N K -> M N", ["four", "K"], ["F", "K"]],
  ["M K, K N -> M N", ["four", "P"], ["P", "L"]],
  ["M K, K N -> M N", ["twelve", "P"], ["P", "L"]],
  ["B M K, B K N -> B M N", ["B", "twelve", "K"], ["B", "K", "N"]],
  ["B M K, B K N -> B M N", ["B", "two", "K"], ["B", "K", "N"]],
  ["K, K N -> N", ["L"], ["L", "P"]],
];

/**
 * Products of the sizes at which a backend that writes its own kernels writes them in different ways: a few rows, tiles whole and cut, blocks that
 * do not divide, rows that are picked.
 *
 * @param tolerance how far a result may be from the reference's, as for `expectAgreement`.
 */
export function describeProducts(backend: () => Backend, tolerance = 2e-5): void {
  test.each(cases)("%s of %j and %j", async (spec, left, right) => {
    const shapes = [left, right].map((axes) => axes!.map((axis) => extents[axis]));
    const inputs = shapes.map((shape) => input(shape));
    const product = einsum(inputs[0]!, inputs[1]!, spec);
    const bias = input([product.shape.at(-1)!]);
    const outputs: Tensor[] = [product, relu(add(einsum(inputs[1]!, inputs[0]!, swapped(spec)), bias))];
    const values = [...inputs, bias].map((x, i) => randomValue(x, i + 1));
    await expectAgreement(backend(), graph({ name: spec, inputs: [...inputs, bias], outputs }), values, tolerance);
  });

  test.each([2, 8])("products of %d tokens' modules, each with a bias of its own", async (tokens) => {
    const [x, w, bias] = [input([tokens, 4, 64]), input([100, 64]), input([4, 100])];
    const outputs = [add(einsum(x, w, "B S D, M D -> B S M"), bias)];
    const values = [x, w, bias].map((type, i) => randomValue(type, i + 1));
    await expectAgreement(backend(), graph({ name: "modules", inputs: [x, w, bias], outputs }), values, tolerance);
  });

  test("a vector's product, of which blocks are reduced", async () => {
    const [x, w, bias] = [input([1, 27]), input([27, 1024]), input([1024])];
    const blocks = reshape(add(einsum(x, w, "B R, R F -> B F"), bias), [1, 4, 256]);
    const most = reduceMax(blocks, { axes: [2] });
    const values = [x, w, bias].map((type, i) => randomValue(type, i + 1));
    const outputs = [blocks, most];
    await expectAgreement(backend(), graph({ name: "blocks", inputs: [x, w, bias], outputs }), values, tolerance);
  });

  test.each([-1, 0, 1, 37, 255])("attention of one token to a cache that is filled up to %i", async (position) => {
    const [q, k, v] = [input([1, 4, 1, 32]), input([1, 4, 256, 32]), input([1, 4, 256, 32])];
    const last = input([], "int32");
    const outputs = [cachedAttention(q, k, v, last, { scale: 0.2 })];
    const program = graph({ name: "attention", inputs: [q, k, v, last], outputs });
    const values = [q, k, v].map((type, i) => randomValue(type, i + 1));
    const given = [...values, hostTensor("int32", [], Int32Array.of(position))];
    await expectAgreement(backend(), program, given, tolerance);
  });

  test("rows that are picked as the graph runs", async () => {
    const [x, table, choice] = [input([2, 64]), input([200, 64]), input([2, 24, 8])];
    const rows = argMax(choice);
    const hidden = relu(einsum(x, gather(table, rows), "B D, B G D -> B G"));
    const y = einsum(hidden, gather(table, rows), "B G, B G D -> B D");
    const values = [x, table, choice].map((type, i) => randomValue(type, i + 1));
    await expectAgreement(
      backend(),
      graph({ name: "rows", inputs: [x, table, choice], outputs: [hidden, y] }),
      values,
      tolerance,
    );
  });
}

/** The same product with its operands the other way round. */
function swapped(spec: string): string {
  const [left, right, out] = spec.split(/,|->/).map((part) => part.trim());
  return `${right}, ${left} -> ${out}`;
}
