import { type Expression, expressionsOf, mapIndices } from "../ir/expression.ts";
import type { Index } from "../ir/index-form.ts";
import { type LoopKernel, rootsOf } from "../ir/kernel.ts";

/** The same kernel in as few loops as it can be: neighbours that are walked as one become one, and loops of one go. */
export function collapse(kernel: LoopKernel): LoopKernel {
  const parallel = kernel.extents.length;
  const extents = [...kernel.extents, ...(kernel.reduction?.extents ?? [])];
  const kept = keptLoops(extents, parallel, indicesOf(kernel));
  const narrow = ({ strides, ...rest }: Index): Index => ({ ...rest, strides: kept.map(({ loop }) => strides[loop]!) });
  const done = new Map<Expression, Expression>();
  const change = (e: Expression) => mapIndices(e, narrow, done);
  const { reduction } = kernel;
  const { wanted } = reduction ?? {};
  const at = narrow(kernel.at);
  const reduced = kept.filter(({ loop }) => loop >= parallel).map(({ extent }) => extent);
  return {
    ...kernel,
    extents: kept.filter(({ loop }) => loop < parallel).map(({ extent }) => extent),
    ...(reduction && {
      reduction: {
        op: reduction.op,
        extents: reduced,
        body: change(reduction.body),
        ...(reduction.until && reduced.length === 1 && { until: change(reduction.until) }),
        ...(wanted && { wanted: { at: narrow(wanted.at), below: change(wanted.below) } }),
      },
    }),
    result: change(kernel.result),
    at: { ...at, dynamic: at.dynamic.map((term) => ({ ...term, value: change(term.value) })) },
  };
}

function indicesOf(kernel: LoopKernel): Index[] {
  const own = expressionsOf(...rootsOf(kernel)).flatMap((e) => (e.kind === "load" || e.kind === "place" ? [e.at] : []));
  return [kernel.at, ...own];
}

/** The loops that stay, each by the innermost of those that it stands for. */
function keptLoops(extents: readonly number[], parallel: number, indices: readonly Index[]) {
  const kept: { loop: number; extent: number }[] = [];
  extents.forEach((extent, loop) => {
    if (extent === 1) return;
    const outer = kept.at(-1);
    const together =
      outer !== undefined &&
      outer.loop < parallel === loop < parallel &&
      indices.every(({ strides }) => strides[outer.loop] === strides[loop]! * extent);
    if (together) kept[kept.length - 1] = { loop, extent: outer.extent * extent };
    else kept.push({ loop, extent });
  });
  return kept;
}
