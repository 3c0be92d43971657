import { asProduct, type LoopKernel, type Product } from "@finegrain/codegen";
import type { Opening, RenderedKernel } from "../kernel.ts";
import type { Target } from "../target.ts";
import { planLanes } from "./plan-lanes.ts";
import { isWorthTiles, planTiles } from "./plan-tiles.ts";
import { writeLanes } from "./write-lanes.ts";
import { writeTiles } from "./write-tiles.ts";

/** The product that a kernel is done as in tiles, where it is spread over workgroups as it likes; undefined where it is not. */
export function asTiles(kernel: LoopKernel, target: Target): Product | undefined {
  const product = target.tiles ? asProduct(kernel) : undefined;
  return product && isWorthTiles(product, target) ? product : undefined;
}

/** A product, where the kernel is one that has a better way than a sum for each element; else undefined. */
export function renderProduct(kernel: LoopKernel, opening: Opening): RenderedKernel | undefined {
  const { row, target } = opening;
  const tiled = row === undefined ? asTiles(kernel, target) : undefined;
  if (tiled) return writeTiles(kernel, tiled, planTiles(tiled, target), opening);
  const product = asProduct(kernel);
  const lanes = product && planLanes(product, target, row);
  return product && lanes && writeLanes(kernel, product, lanes, opening);
}
