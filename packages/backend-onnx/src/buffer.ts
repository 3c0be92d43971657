export type Numbers = Float32Array | Int32Array | Uint8Array;

/**
 * A tensor in the host's memory, which is ONNX Runtime's on a CPU: numbers that a queued run will leave, or the error that it ends
 * in. Runs are in order, so they are there when their users run.
 */
export interface Cell {
  value?: Numbers;
  error?: unknown;
  /** Once the run is over that leaves the numbers. */
  settled: Promise<void>;
}
