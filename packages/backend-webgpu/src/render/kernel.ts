import type { Bindings } from "./bindings.ts";
import type { Target } from "./target.ts";

/** What a kernel is written with. */
export interface Opening {
  /** Of the kernel's function, and the start of the names of all that it declares. */
  readonly name: string;
  readonly bindings: Bindings;
  readonly target: Target;
  /** Iterations that one workgroup does where the kernel is one of a chain; undefined where it is spread as it likes. */
  readonly row: number | undefined;
}

/** The arrays of workgroup memory. */
export const workgroupArrays = ["scratch", "tile_x", "tile_y"] as const;
export type WorkgroupArray = (typeof workgroupArrays)[number];

/** The type of the elements of a product's tiles: four neighbours. */
export const tileType = ({ half }: Target): "vec4h" | "vec4f" => (half ? "vec4h" : "vec4f");

/** A kernel as WGSL. */
export interface RenderedKernel {
  /** `fn NAME(first: u32, last: u32, lane: u32, zero: u32)`, which does the items [first, last) with all lanes of a workgroup. */
  readonly text: string;
  /** Items of the kernel: iterations, tiles. */
  readonly items: number;
  /** Items of a workgroup, where the kernel is spread. */
  readonly each: number;
  /** Workgroup memory that it uses, in vectors of four, which a shader's kernels share: `scratch`, and the tiles of a product's operands. */
  readonly memory?: Partial<Record<WorkgroupArray, number>>;
}

/** Text of the end of a loop. A compiler for a CPU cannot tell from it how long the loop is: it takes minutes for what it unrolled. */
export const loopEnd = (count: number, { cpu }: Target): string => (cpu ? `(${count}u + zero)` : `${count}u`);

/** The most workgroups that a kernel is spread over: beyond, each does more. */
const MOST_WORKGROUPS = 4096;
/** As {@link MOST_WORKGROUPS}, for each core of a CPU. */
const MOST_OF_CORE = 8;

/**
 * Items for each workgroup, a multiple of what its lanes do at once.
 * @param least how many times on a CPU they do so, which makes up for starting a workgroup.
 */
export function share(items: number, atOnce: number, { cpu, cores }: Target, least = 1): number {
  const most = cpu ? MOST_OF_CORE * cores : MOST_WORKGROUPS;
  return atOnce * Math.max(cpu ? least : 1, Math.ceil(items / atOnce / most));
}
