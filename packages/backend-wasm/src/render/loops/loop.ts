import { expressionsOf, type LoopKernel, type Reduction } from "@finegrain/codegen";
import type { Opening, Target } from "../kernel.ts";
import { renderProduct } from "../products/product.ts";
import { ElementwiseRenderer } from "./elementwise.ts";
import type { Division } from "./loop-renderer.ts";
import { ColumnRenderer } from "./reduce-columns.ts";
import { RowRenderer } from "./reduce-rows.ts";

/** Any loop kernel, with four elements at a time along its innermost loop. */
export function renderLoop(kernel: LoopKernel, opening: Opening, target: Target): Division {
  const { reduction } = kernel;
  if (!reduction) return new ElementwiseRenderer(kernel, opening).render();
  const product = renderProduct(kernel, reduction, opening, target);
  if (product) return product;
  return reduction.extents.length > 0 && acrossColumns(kernel, reduction)
    ? new ColumnRenderer(kernel, reduction, opening).render()
    : new RowRenderer(kernel, reduction, opening).render();
}

/** Whether neighbours in memory are neighbours in the result, and not in the reduced loop. */
function acrossColumns({ extents }: LoopKernel, { body, extents: reduced }: Reduction): boolean {
  const [column, row] = [extents.length - 1, extents.length + reduced.length - 1];
  const loads = expressionsOf(body).flatMap((e) => (e.kind === "load" ? [e.at.strides] : []));
  const along = (loop: number) => loads.filter((strides) => strides[loop] === 1).length;
  return column >= 0 && along(column) > along(row);
}
