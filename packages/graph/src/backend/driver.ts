import type { Graph } from "../graph.ts";
import type { HostTensor, TensorType } from "../tensor.ts";
import type { Backend, KernelTime } from "./backend.ts";
import type { Donations } from "./donations.ts";
import type { Turns } from "./turn.ts";

/**
 * What a device does for a backend: it holds values and runs programs over lists of them. It is never asked for a value that is gone,
 * of another device or of another type than the graph's: `createBackend` sees to that.
 */
export interface Driver<Value>
  extends Pick<Backend, "name" | "device" | "unsupported" | "storage" | "memoryInUse" | keyof AsyncDisposable> {
  /** Copy a value to the device. */
  upload(value: HostTensor): Value;
  /** A copy of the numbers. Rejects with the error of the run that should have made them. */
  read(value: Value, type: TensorType): Promise<HostTensor>;
  /** Called once for every value that was uploaded or returned by a run, unless it was donated. */
  free(value: Value, type: TensorType): void;
  compile(graph: Graph, options: DriverOptions): Promise<DeviceProgram<Value>>;
}

export interface DriverOptions {
  readonly donate: Donations;
  readonly profile: boolean;
}

/** A compiled graph on a device. */
export interface DeviceProgram<Value> extends Disposable {
  /**
   * Values of the graph's inputs for those of its outputs. Donated ones are the run's own, even where it throws or is left: it hands them on in
   * outputs or frees them. No other run begins before this one is over. What holds the thread gives {@link Turns}.
   */
  run(inputs: readonly Value[]): readonly Value[] | Turns<readonly Value[]> | Promise<readonly Value[]>;
  readonly dispatches?: number;
  profile?(): KernelTime[];
}
