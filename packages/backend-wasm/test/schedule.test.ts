import { fuse } from "@finegrain/codegen";
import { decodeGraph } from "@finegrain/generate";
import { add, donations, einsum, graph, input, layerNorm, relu, type Tensor } from "@finegrain/graph";
import { presets, scalingLM } from "@finegrain/nn";
import { describe, expect, test } from "vitest";
import { renderKernel } from "../src/render/render-kernel.ts";
import { Schedule } from "../src/render/schedule.ts";

function groupsOf(program: ReturnType<typeof fuse>, threads = 2) {
  const schedule = new Schedule(threads);
  const target = { wide: false, relaxed: false, threads };
  program.kernels.forEach((kernel, index) => {
    schedule.add(kernel, renderKernel(kernel, target), index);
  });
  return schedule.groups;
}

/** How each step of each group is done. */
const shown = (outputs: readonly Tensor[], inputs: readonly Tensor[], threads?: number) =>
  groupsOf(fuse(graph({ name: "program", inputs, outputs }), []), threads).map((group) => group.map(({ by }) => by));

describe("a layer of decode", () => {
  test.each([
    ["paper-800m-dense", { meetings: 4, between: 2 }],
    ["paper-800m-sparse", { meetings: 8, between: 3 }],
  ] as const)("of %s has few meetings of its threads: %j", (name, expected) => {
    const count = (layers: number) => {
      const model = scalingLM({ ...presets[name], layers });
      const { graph, donate } = decodeGraph(model, { tokens: 1, capacity: 256 });
      const groups = groupsOf(fuse(graph, donations(graph, donate)));
      const between = groups.filter((group) => group.every(({ by }) => by === "first")).length;
      return { meetings: groups.length - between, between };
    };
    const [three, two] = [count(3), count(2)];
    expect({ meetings: three.meetings - two.meetings, between: three.between - two.between }).toEqual(expected);
  });
});

describe("large kernels", () => {
  const x = input([64, 256], "float32", "x");
  const large = (value: Tensor) => relu(einsum(value, value, "B I, C I -> B C"));

  test("that read the same rows as those before them wait for nobody", () => {
    const norm = [input([256]), input([256])] as const;
    const y = add(layerNorm(x, ...norm, { epsilon: 1e-5 }), x);
    expect(shown([y], [x, ...norm]).flat()).not.toContain("first");
    expect(shown([y], [x, ...norm])).toHaveLength(1);
  });

  test("that read others' rows wait", () => {
    const groups = shown([large(large(x))], [x]);
    expect(groups.length).toBeGreaterThan(1);
  });

  test("that have nothing to do with each other do not wait", () => {
    const z = input([64, 256], "float32", "z");
    expect(shown([large(x), large(z)], [x, z])).toHaveLength(1);
  });

  test("of rows that threads do not divide evenly wait", () => {
    const odd = input([63, 256], "float32", "odd");
    const norm = [input([256]), input([256])] as const;
    expect(shown([layerNorm(odd, ...norm, { epsilon: 1e-5 })], [odd, ...norm]).length).toBeGreaterThan(1);
  });
});

test("on one thread every kernel is by itself, in the program's order", () => {
  const x = input([8], "float32", "x");
  const program = fuse(graph({ name: "two", inputs: [x], outputs: [add(x, 1), add(x, 2)] }), []);
  expect(groupsOf(program, 1).map((group) => group.map(({ index }) => index))).toEqual(
    program.kernels.map((_, index) => [index]),
  );
});
