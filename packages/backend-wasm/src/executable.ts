import type { DeviceProgram, DriverOptions, KernelTime, TensorType, Turns } from "@finegrain/graph";
import { Place } from "./buffer.ts";
import type { Engine, Loaded } from "./engine.ts";
import { POINTER_BYTES } from "./render/render-program.ts";

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

  *run(inputs: readonly Place[]): Turns<Place> {
    const { program } = this.#loaded;
    const { memory } = this.#engine;
    const { inputs: inputTypes, outputs: outputTypes } = program.graph;
    const made: [place: Place, type: TensorType][] = [];
    let isOver = false;
    try {
      const outputs = program.outputs.map(({ place }, i) => {
        if (place.kind === "input") return inputs[place.index]!;
        const output = Place.take(memory, outputTypes[i]!);
        made.push([output, outputTypes[i]!]);
        return output;
      });
      this.#tell([...inputs, ...outputs]);
      yield* this.#engine.run(this.#loaded);
      isOver = true;
      return outputs;
    } finally {
      for (const [place, type] of isOver ? [] : made) place.free(memory, type);
      for (const i of this.#donated) if (!isOver || !this.#kept.has(i)) inputs[i]!.free(memory, inputTypes[i]!);
    }
  }

  /** Write the table of a run. */
  #tell(places: readonly Place[]): void {
    const words = this.#engine.memory.view("int32", this.#loaded.layout.table, (POINTER_BYTES / 4) * places.length);
    places.forEach(({ address }, i) => {
      words[2 * i] = address;
      words[2 * i + 1] = Math.floor(address / 2 ** 32);
    });
  }

  [Symbol.dispose](): void {
    this.#engine.unload(this.#loaded);
  }
}
