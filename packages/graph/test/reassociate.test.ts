import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseEinsum } from "../src/einsum-spec.ts";
import {
  add,
  einsum,
  evaluate,
  gradient,
  graph,
  type HostTensor,
  hostTensor,
  input,
  mul,
  optimize,
  print,
  reduceSum,
  type Tensor,
} from "../src/index.ts";
import { reassociate } from "../src/passes/reassociate.ts";

/** Multiplications of a graph's products. */
const multiplications = (nodes: readonly Tensor[]): number =>
  nodes
    .filter(({ op }) => op === "einsum")
    .reduce((sum, { attrs, inputs }) => {
      const { x, y } = parseEinsum(attrs as string);
      const extents = new Map(
        [x, y].flatMap((axes, i) => axes.map((axis, j) => [axis, inputs[i]!.shape[j]!] as const)),
      );
      return sum + [...extents.values()].reduce((a, b) => a * b, 1);
    }, 0);

test("the gradients of two narrow matrices are made without that of the wide one which they are added to", () => {
  const [rows, wide, narrow] = [64, 32, 2];
  const x = input([rows, wide], "float32", "x");
  const w = input([wide, wide], "float32", "w");
  const [a, b] = [input([wide, narrow], "float32", "a"), input([narrow, wide], "float32", "b")];
  const y = einsum(x, add(w, einsum(a, b, "I R, R O -> I O")), "N I, I O -> N O");
  const gradients = gradient(reduceSum(mul(y, y), { axes: [0, 1] }), { a, b });
  const before = graph({ name: "step", inputs: [x, w, a, b], outputs: [gradients.a, gradients.b] });
  const after = optimize(before, new Set());
  const forward = rows * wide * wide + wide * narrow * wide;
  expect(multiplications(after.nodes)).toBe(forward + 4 * rows * wide * narrow);
  expect(after.nodes.filter(({ shape }) => `${shape}` === `${[wide, wide]}`)).toHaveLength(3); // w, a·b and their sum
});

test("a product that is read by others too, or is cheapest as it stands, is left", () => {
  const [x, y, z] = [
    [8, 2],
    [2, 8],
    [8, 1],
  ].map((shape) => input(shape, "float32", "x")) as [Tensor, Tensor, Tensor];
  const xy = einsum(x, y, "A B, B C -> A C");
  const xyz = einsum(xy, z, "A C, C D -> A D");
  const of = (...outputs: Tensor[]) => graph({ name: "g", inputs: [x, y, z], outputs });
  expect(reassociate(of(xyz)).nodes).not.toContain(xyz);
  for (const kept of [of(xyz, xy), of(xyz, add(xy, 1)), of(einsum(xy, xy, "A C, A D -> C D"))])
    expect(print(reassociate(kept))).toBe(print(kept));
  const cheap = of(einsum(einsum(z, x, "A D, A B -> D B"), y, "D B, B C -> D C"));
  expect(print(reassociate(cheap))).toBe(print(cheap));
});

/** Axes of three operands and of the two products, by any names. */
const chains = fc
  .record({
    extents: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 5, maxLength: 5 }),
    p: fc.uniqueArray(fc.constantFrom(0, 1, 2, 3, 4), { maxLength: 4 }),
    q: fc.uniqueArray(fc.constantFrom(0, 1, 2, 3, 4), { maxLength: 4 }),
    z: fc.uniqueArray(fc.constantFrom(0, 1, 2, 3, 4), { maxLength: 4 }),
    kept: fc.array(fc.boolean(), { minLength: 10, maxLength: 10 }),
    swapped: fc.boolean(),
  })
  .map(({ extents, p, q, z, kept, swapped }) => {
    const union = (...axes: number[][]) => [...new Set(axes.flat())];
    const middle = union(p, q).filter((axis) => kept[axis]);
    // Axes of z that the product lacks are new ones, though they have the names of axes that were summed.
    const out = union(middle, z).filter((axis) => kept[5 + axis]);
    const names = (axes: number[]) => axes.map((axis) => "ABCDE"[axis]).join(" ");
    const of = (axes: number[], name: string) =>
      input(
        axes.map((axis) => extents[axis]!),
        "float32",
        name,
      );
    const inputs = [of(p, "p"), of(q, "q"), of(z, "z")] as [Tensor, Tensor, Tensor];
    const inner = einsum(inputs[0], inputs[1], `${names(p)}, ${names(q)} -> ${names(middle)}`);
    const outer = swapped
      ? einsum(inputs[2], inner, `${names(z)}, ${names(middle)} -> ${names(out)}`)
      : einsum(inner, inputs[2], `${names(middle)}, ${names(z)} -> ${names(out)}`);
    return graph({ name: "chain", inputs, outputs: [outer] });
  });

test("a chain in another order has the numbers that it had", () => {
  let changed = 0;
  const numbers = (seed: number, { shape }: Tensor) => {
    const length = shape.reduce((a, b) => a * b, 1);
    return hostTensor(
      "float32",
      shape,
      Float32Array.from({ length }, (_, i) => Math.sin(seed + 7 * i)),
    );
  };
  void fc.assert(
    fc.property(chains, (chain) => {
      const after = reassociate(chain);
      if (print(after) !== print(chain)) changed++;
      expect(multiplications(after.nodes)).toBeLessThanOrEqual(multiplications(chain.nodes));
      const given = chain.inputs.map((x, i) => numbers(i, x));
      const [before, now] = [chain, after].map((g) => (evaluate(g as never, given as never) as HostTensor[])[0]!.data);
      for (const [i, value] of before!.entries()) expect(now![i]).toBeCloseTo(value, 9);
    }),
    { numRuns: 500 },
  );
  expect(changed).toBeGreaterThan(20);
});
