import type { DeviceInfo, HostTensor, TensorType } from "@finegrain/graph";
import type { Lowerings } from "./lowering.ts";
import type { ProgramBuilder, Value } from "./program-builder.ts";

/** A kind of engine: how it holds tensors, and what every op becomes there. `H` is what it holds a tensor by. */
export interface Machine<H> {
  readonly device: DeviceInfo;
  /** Copies the numbers. */
  upload(value: HostTensor): H;
  read(handle: H, type: TensorType): Promise<HostTensor>;
  free(handle: H): void;
  /** Another handle of the same numbers, which are not copied. */
  share(handle: H): H;
  /** Do something with what has to be set up around it. Of the tensors made in it, those that it returns stay. */
  scope(body: () => H[]): H[];
  /** What people are told of an error of the engine. */
  reasonOf(error: Error): string;
  lowerings(builder: ProgramBuilder<H>): Lowerings;
  /** A value as whoever is not a lowering expects it: held under its own shape. */
  settled(builder: ProgramBuilder<H>, value: Value): Value;
  /** How an input is written into that a run spends. */
  readonly inPlace: InPlace<H>;
}

export interface InPlace<H> {
  /** A spent input's handle as one that can be written into, and no other handle sees it. */
  open(handle: H): H;
  /** Called before anything else is given a handle: its numbers may be shared from then on. */
  lend(handle: H): void;
  /** The steps that write rows into an open input. @returns what takes its place, and how that is read. */
  write(
    builder: ProgramBuilder<H>,
    rows: { readonly into: Value; readonly rows: Value; readonly start: Value; readonly axis: number },
  ): { readonly written: Value; readonly read: Value };
}
