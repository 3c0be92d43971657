import type { Graph } from "@finegrain/graph";
import type { ProgramBuffer } from "./buffer.ts";
import type { Kernel } from "./kernel.ts";

/** A graph as kernels, in the order in which they run. */
export interface Program {
  readonly name: string;
  readonly kernels: readonly Kernel[];
  /** One for every input of the graph. */
  readonly inputs: readonly ProgramBuffer[];
  /** One for every output: a buffer of its own, or the donated input that it was written into. */
  readonly outputs: readonly ProgramBuffer[];
  readonly graph: Graph;
}
