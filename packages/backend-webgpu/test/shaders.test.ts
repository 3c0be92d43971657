import { fuse } from "@finegrain/codegen";
import { atOnce, cachedAttention, einsum, graph, input, relu, type Tensor } from "@finegrain/graph";
import { expect, test } from "vitest";
import { arranging } from "../src/arrange.ts";
import { renderDispatch } from "../src/render/shader.ts";
import type { Target } from "../src/render/target.ts";

const target: Target = {
  lanes: 8,
  wanted: 32,
  subgroup: 8,
  cpu: true,
  cores: 2,
  tiles: false,
  half: false,
  workgroupBytes: 2 ** 14,
  bindingBytes: 2 ** 27,
};

/** The lines of a graph's shaders, as for a CPU. */
function linesOf(inputs: readonly Tensor[], output: Tensor): string[] {
  const program = fuse(graph({ name: "shaders", inputs, outputs: [output] }), [], { copyOperands: false });
  const scheduling = { maxBuffers: 8, lanes: target.lanes, rows: 2 * target.cores };
  const { dispatches, plan } = atOnce(arranging(program, scheduling, target.bindingBytes));
  return dispatches.flatMap((dispatch) => renderDispatch(dispatch, plan, target).text.split("\n"));
}

const isLoop = (line: string): boolean => /^ *for \(/.test(line);

/** The lines within the only loop that has no other in it. */
function innermostLoop(lines: readonly string[]): string[] {
  const bodies = lines.flatMap((line, i) => {
    if (!isLoop(line)) return [];
    const length = lines.slice(i + 1).findIndex((other) => other.search(/\S/) <= line.search(/\S/));
    return [lines.slice(i + 1, i + 1 + length)];
  });
  const innermost = bodies.filter((body) => !body.some(isLoop));
  expect(innermost).toHaveLength(1);
  return innermost[0]!;
}

/** What drivers for CPUs do lane by lane, at the cost of several reads. */
const DIVIDES = /[/%]|>>/;

/** Expect none of it in the innermost loop, nor where vectors of four are read and written. @returns the loop. */
function expectNoDivision(inputs: readonly Tensor[], output: Tensor): string[] {
  const lines = linesOf(inputs, output);
  const loop = innermostLoop(lines);
  const vectors = lines.filter((line) => line.includes("_four(i: u32"));
  expect(vectors.length).toBeGreaterThan(0);
  expect([...loop, ...vectors].filter((line) => DIVIDES.test(line))).toEqual([]);
  return loop;
}

test("a product divides nothing step by step, where vectors lie along its columns", () => {
  const [x, y] = [input([1, 1024]), input([1024, 4096])];
  expectNoDivision([x, y], einsum(x, y, "T D, D F -> T F"));
});

test("a product divides nothing step by step, where vectors lie along its sum", () => {
  const [x, y] = [input([16, 1024]), input([64, 1024])];
  expectNoDivision([x, y], einsum(x, y, "M D, S D -> M S"));
});

test("a sum of two loops nests them, and reads within the inner one only what changes along it", () => {
  const [windows, y] = [input([9, 16, 64]), input([9, 64, 64])];
  const loop = expectNoDivision([windows, y], einsum(windows, y, "K M W, K W U -> M U"));
  expect(loop.join("\n")).not.toMatch(/\bturn\b/);
});

test("attention to a cache reads what one token sees of it, and for several all that there is", () => {
  const limits = (tokens: number) => {
    const [q, position] = [input([1, 16, tokens, 64]), input([], "int32")];
    const [k, v] = [input([1, 16, 256, 64]), input([1, 16, 256, 64])];
    const lines = linesOf([q, k, v, position], cachedAttention(q, k, v, position, { scale: 1 }));
    return lines.flatMap((line, i) => {
      const end = /for \(var step = .* step < (v\d+);/.exec(line)?.[1];
      if (end === undefined) return [];
      const declared = lines.slice(0, i).findLast((other) => other.includes(`let ${end} = `))!;
      return [declared.replace(/.* = |\(.*/g, "")];
    });
  };
  expect(limits(1)).toEqual(["select", "u32"]);
  expect(limits(2)).toEqual([]);
});

test("an element-wise kernel counts in fours", () => {
  const x = input([16, 1024]);
  expectNoDivision([x], relu(x));
});
