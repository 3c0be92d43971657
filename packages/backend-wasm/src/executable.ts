import type { DeviceProgram, DriverOptions, KernelTime, TensorType, Turns } from "@finegrain/graph";
import { Place } from "./buffer.ts";
import type { Engine, Loaded } from "./engine.ts";
import { POINTER_BYTES } from "./render/render-program.ts";

/** A run that has begun. */
interface Running {
  readonly outputs: readonly Place[];
  /** Those that are the run's own until it is over. */
  readonly made: [place: Place, type: TensorType][];
  isOver: boolean;
}

/** A module whose calls, one behind the other, are a run. */
export class WasmProgram implements DeviceProgram<Place> {
  readonly #engine: Engine;
  readonly #loaded: Loaded;
  /** Inputs whose memory a run gives back, but for those that it keeps. */
  readonly #donated: readonly number[];
  /** Donated inputs that outputs take over. */
  readonly #kept: ReadonlySet<number>;
  readonly profile?: () => KernelTime[];

  constructor(engine: Engine, loaded: Loaded, donate: DriverOptions["donate"]) {
    this.#engine = engine;
    this.#loaded = loaded;
    this.#donated = donate.map(([input]) => input);
    this.#kept = new Set(loaded.program.outputs.flatMap(({ place }) => (place.kind === "input" ? [place.index] : [])));
    const { clock } = loaded;
    if (clock) this.profile = () => clock.take();
  }

  run(inputs: readonly Place[]): readonly Place[] | Turns<readonly Place[]> {
    // Without turns in between there is no need of a generator, which takes longer than a small run.
    return this.#loaded.parts.length === 1 ? this.#runAtOnce(inputs) : this.#runInParts(inputs);
  }

  #runAtOnce(inputs: readonly Place[]): readonly Place[] {
    const run = this.#begin(inputs);
    try {
      this.#engine.runPart(this.#loaded, 0);
      run.isOver = true;
      return run.outputs;
    } finally {
      this.#end(inputs, run);
    }
  }

  *#runInParts(inputs: readonly Place[]): Turns<readonly Place[]> {
    const run = this.#begin(inputs);
    try {
      for (let part = 0; part < this.#loaded.parts.length; part++) {
        if (part > 0) yield;
        this.#engine.runPart(this.#loaded, part);
      }
      run.isOver = true;
      return run.outputs;
    } finally {
      this.#end(inputs, run);
    }
  }

  #begin(inputs: readonly Place[]): Running {
    const { program, clock } = this.#loaded;
    const made: Running["made"] = [];
    const outputs: Place[] = [];
    try {
      for (const [i, { place }] of program.outputs.entries()) {
        if (place.kind === "input") {
          outputs.push(inputs[place.index]!);
          continue;
        }
        const type = program.graph.outputs[i]!;
        const output = Place.take(this.#engine.memory, type);
        made.push([output, type]);
        outputs.push(output);
      }
    } catch (error) {
      this.#end(inputs, { outputs, made, isOver: false });
      throw error;
    }
    this.#tell(inputs, outputs);
    clock?.start();
    return { outputs, made, isOver: false };
  }

  #end(inputs: readonly Place[], { made, isOver }: Running): void {
    const { memory } = this.#engine;
    if (!isOver) for (const [place, type] of made) place.free(memory, type);
    for (const i of this.#donated)
      if (!isOver || !this.#kept.has(i)) inputs[i]!.free(memory, this.#loaded.program.graph.inputs[i]!);
  }

  /** Write the table of a run. */
  #tell(inputs: readonly Place[], outputs: readonly Place[]): void {
    const count = inputs.length + outputs.length;
    const words = this.#engine.memory.view("int32", this.#loaded.layout.table, (POINTER_BYTES / 4) * count);
    for (let i = 0; i < count; i++) {
      const { address } = i < inputs.length ? inputs[i]! : outputs[i - inputs.length]!;
      words[2 * i] = address;
      words[2 * i + 1] = Math.floor(address / 2 ** 32);
    }
  }

  [Symbol.dispose](): void {
    this.#engine.unload(this.#loaded);
  }
}
