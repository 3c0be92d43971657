import { bytesOfType } from "@finegrain/codegen";
import { type DeviceProgram, type DriverOptions, FinegrainError, type KernelTime } from "@finegrain/graph";
import { Place } from "./buffer.ts";
import type { Engine, Loaded } from "./engine.ts";
import { POINTER_BYTES } from "./render/render-program.ts";

/** A module whose one call is a run. */
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

  run(inputs: readonly Place[]): Place[] {
    const { inputs: types, outputs } = this.#loaded.program.graph;
    const [addresses, failure] = this.#attempt(inputs);
    for (const i of this.#donated)
      if (failure !== undefined || !this.#kept.has(i)) inputs[i]!.free(this.#engine.memory, types[i]!);
    return outputs.map((_, i) => new Place(addresses[i] ?? 0, failure));
  }

  /** The outputs' addresses, or why there are none. */
  #attempt(given: readonly Place[]): [addresses: number[], failure?: unknown] {
    const { program, layout } = this.#loaded;
    const { memory } = this.#engine;
    const taken: [address: number, bytes: number][] = [];
    try {
      const inputs = given.map(({ address }) => address);
      const outputs = program.outputs.map(({ place }, i) => {
        if (place.kind === "input") return inputs[place.index]!;
        const bytes = bytesOfType(program.graph.outputs[i]!);
        const address = memory.take(bytes);
        taken.push([address, bytes]);
        return address;
      });
      const words = memory.view("int32", layout.table, (POINTER_BYTES / 4) * (inputs.length + outputs.length));
      [...inputs, ...outputs].forEach((address, i) => {
        words[2 * i] = address;
        words[2 * i + 1] = Math.floor(address / 2 ** 32);
      });
      this.#engine.run(this.#loaded);
      return [outputs];
    } catch (cause) {
      for (const [address, bytes] of taken) memory.give(address, bytes);
      if (cause instanceof FinegrainError) return [[], cause];
      const reason = cause instanceof Error ? cause.message : cause;
      return [[], new FinegrainError(`graph "${program.name}" failed on ${this.#engine.name}: ${reason}`, { cause })];
    }
  }

  [Symbol.dispose](): void {
    this.#engine.unload(this.#loaded);
  }
}
