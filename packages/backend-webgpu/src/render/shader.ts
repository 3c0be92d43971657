import type { Branch, Dispatch, Kernel, MemoryPlan, ProgramBuffer } from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import { type Binding, Bindings } from "./bindings.ts";
import { renderFromInt4, renderInt4InputsProduct, renderInt4Product } from "./int4.ts";
import { type Opening, type RenderedKernel, tileType, type WorkgroupArray, workgroupArrays } from "./kernel.ts";
import { renderMap } from "./map.ts";
import { lanesOfTiles } from "./products/plan-tiles.ts";
import { asTiles, renderProduct } from "./products/product.ts";
import { multiplyHigh, renderRandomBits } from "./random-bits.ts";
import { renderReduce } from "./reduce.ts";
import { prelude } from "./scalar-ops.ts";
import { renderScatterAdd } from "./scatter-add.ts";
import type { Target } from "./target.ts";
import { comesBefore, renderTopK } from "./top-k.ts";

/** A dispatch as WGSL. Equal layers have equal texts, and share a pipeline. */
export interface Shader {
  readonly text: string;
  readonly bindings: readonly Binding[];
  /** In the order in which the uniform has their offsets. */
  readonly temporaries: readonly ProgramBuffer[];
  readonly workgroups: number;
  /** The ops that it computes. */
  readonly name: string;
  readonly kernels: readonly Kernel[];
}

/** Write the shader of a dispatch. */
export function renderDispatch({ branches }: Dispatch, plan: MemoryPlan, common: Target): Shader {
  const kernels = branches.flatMap((branch) => branch.kernels);
  const tiled = branches.flatMap(({ rows, kernels: own }) =>
    own.flatMap((kernel) => (rows === 0 && kernel.kind === "loop" ? (asTiles(kernel, common) ?? []) : [])),
  );
  const target = tiled.length > 0 ? { ...common, lanes: lanesOfTiles(tiled, common) } : common;
  const bindings = new Bindings(plan, new Set(kernels.map(({ to }) => to)), target);
  const functions: string[] = [];
  const memory: Partial<Record<WorkgroupArray, number>> = {};
  let workgroups = 0;
  const calls = branches.map((branch) => {
    const begin = workgroups;
    const rendered = branch.kernels.map((kernel) => {
      const one = render(kernel, { name: `k${functions.length}`, bindings, target, row: rowOf(kernel, branch.rows) });
      functions.push(one.text);
      for (const name of workgroupArrays) memory[name] = Math.max(memory[name] ?? 0, one.memory?.[name] ?? 0);
      return { ...one, name: `k${functions.length - 1}` };
    });
    workgroups += branch.rows || Math.ceil(rendered[0]!.items / rendered[0]!.each);
    return { begin, end: workgroups, lines: callsOf(branch, rendered) };
  });
  const { text, bindings: bound } = bindings.declare();
  const main = calls.map(
    ({ begin, end, lines }) => `if (group >= ${begin}u && group < ${end}u) {
    let own = group - ${begin}u;
    ${lines.join("\n    ")}
  }`,
  );
  const whole = [
    ...(target.subgroup > 1 ? ["enable subgroups;"] : []),
    ...(target.half ? ["enable f16;"] : []),
    "var<private> infinity_bits: u32 = 0x7f800000u;\nvar<private> nan_bits: u32 = 0x7fc00000u;",
    ...workgroupArrays
      .filter((name) => memory[name])
      .map((name) => {
        const type = name === "scratch" ? "vec4u" : tileType(target);
        return `var<workgroup> ${name}: array<${type}, ${memory[name]}>;`;
      }),
    text,
    prelude,
    multiplyHigh,
    comesBefore,
    ...functions,
    `@compute @workgroup_size(${target.lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let zero = groups.z - 1u; // which compilers do not know
  let turn = id.x + id.y * groups.x;
  let group = ${branches.length > 1 ? mixed(workgroups, target) : "turn"};
  ${main.join("\n  ")}
}`,
  ];
  return {
    text: whole.join("\n"),
    bindings: bound,
    temporaries: bindings.temporaries,
    workgroups,
    name: kernels.map(({ name }) => name).join(", "),
    kernels,
  };
}

/** Text of what a workgroup does by its turn, such that each core of a CPU gets as much of every branch. */
function mixed(workgroups: number, { cores }: Target): string {
  const each = Math.max(1, Math.floor(workgroups / cores));
  return cores === 1 ? "turn" : `select(turn, turn % ${each}u * ${cores}u + turn / ${each}u, turn < ${each * cores}u)`;
}

/** A branch's kernels over its workgroup's items: each after the memory that the one before wrote is seen. */
function callsOf({ rows }: Branch, rendered: readonly (RenderedKernel & { name: string })[]): string[] {
  if (rows === 0) {
    const { name, items, each } = rendered[0]!;
    return [`${name}(own * ${each}u, min((own + 1u) * ${each}u, ${items}u), lane, zero);`];
  }
  return rendered.flatMap(({ name, items }, k) => {
    const row = items / rows;
    const call = `${name}(own * ${row}u, (own + 1u) * ${row}u, lane, zero);`;
    return k === 0 ? [call] : ["storageBarrier(); workgroupBarrier();", call];
  });
}

/** Iterations that a workgroup of a chain does of a kernel. */
const rowOf = (kernel: Kernel, rows: number): number | undefined =>
  rows === 0 ? undefined : kernel.kind === "loop" ? size(kernel.extents) / rows : 1;

function render(kernel: Kernel, opening: Opening): RenderedKernel {
  switch (kernel.kind) {
    case "scatterAdd":
      return renderScatterAdd(kernel, opening);
    case "topK":
      return renderTopK(kernel, opening);
    case "randomBits":
      return renderRandomBits(kernel, opening);
    case "fromInt4":
      return renderFromInt4(kernel, opening);
    case "int4Product":
      return renderInt4Product(kernel, opening);
    case "int4InputsProduct":
      return renderInt4InputsProduct(kernel, opening);
    case "loop":
      return kernel.reduction
        ? (renderProduct(kernel, opening) ?? renderReduce(kernel, opening))
        : renderMap(kernel, opening);
  }
}
