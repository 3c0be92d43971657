import { type DType, type HostTensor, hostTensor, type Shape, size, type TensorType } from "@finegrain/graph";
import { type Program, type Step, schedule } from "./program.ts";

/** A tensor of a program: its place in the list that a run fills. */
export interface Value extends TensorType {
  readonly slot: number;
  /** The shape under which the engine holds it, where that is another one of as many elements. */
  readonly held?: Shape;
  /** Runs write into it: what an engine remembers of its numbers may be of another run. */
  readonly isWritten?: boolean;
}

/** What becomes of its operands when a run comes to a step. */
type Call<H> = (operands: readonly H[]) => H;

/** How the builder makes constants and runs what depends on constants alone. */
interface Device<H> {
  upload(value: HostTensor): H;
  share(handle: H): H;
  free(handle: H): void;
  scope(body: () => H[]): H[];
}

/** Larger results of constants are computed in every run, so that a program does not hold what it needs for a moment. */
const LARGEST_FOLDED = 2 ** 20;

/** A program in the making: a flat list of steps, all shapes settled. */
export class ProgramBuilder<H> {
  readonly #device: Device<H>;
  readonly #steps: Step<H>[] = [];
  readonly #constants = new Map<number, H>();
  readonly #known = new Map<string, Value>();
  #slots = 0;

  constructor(device: Device<H>) {
    this.#device = device;
  }

  /** What a run is given. */
  input({ dtype, shape }: TensorType): Value {
    return { dtype, shape, slot: this.#slots++ };
  }

  /** Numbers that are uploaded now and stay as long as the program. */
  constant(dtype: DType, shape: Shape, data: ArrayLike<number>): Value {
    const text = `${dtype} ${shape} = ${Array.from(data, (x) => (Object.is(x, -0) ? "-0" : x))}`;
    const known = this.#known.get(text);
    if (known) return known;
    const value = this.#hold({ dtype, shape }, this.#device.upload(hostTensor(dtype, shape, Array.from(data))));
    this.#known.set(text, value);
    return value;
  }

  /**
   * A step of every run; or of none, where it has constants alone.
   *
   * @param key says what the call does, so that equal steps become one where they may: of int32 (places in a tensor), and
   *   where the caller says so. Others stay apart: a graph may want a tensor computed twice, to save memory.
   */
  step(key: string, operands: readonly Value[], { dtype, shape }: TensorType, call: Call<H>, isMerged = false): Value {
    const text = dtype === "int32" || isMerged ? `${key} ${operands.map(({ slot }) => slot)} ${shape}` : undefined;
    const known = text === undefined ? undefined : this.#known.get(text);
    if (known) return known;
    const value = this.#isFoldable(operands, shape)
      ? this.#hold({ dtype, shape }, this.#now(operands, call))
      : { dtype, shape, slot: this.#slots++ };
    if (!this.#constants.has(value.slot))
      this.#steps.push({ operands: operands.map(({ slot }) => slot), result: value.slot, call });
    if (text !== undefined) this.#known.set(text, value);
    return value;
  }

  /** Close the program. @param values which of its values the caller gives, gives away, lets be written into, and gets. */
  finish(values: Readonly<Record<"inputs" | "spent" | "written" | "outputs", readonly Value[]>>): Program<H> {
    const slots = (of: readonly Value[]) => of.map(({ slot }) => slot);
    return schedule({
      slots: this.#slots,
      constants: [...this.#constants],
      inputs: slots(values.inputs),
      spent: slots(values.spent),
      written: slots(values.written),
      outputs: slots(values.outputs),
      steps: this.#steps,
    });
  }

  #isFoldable(operands: readonly Value[], shape: Shape): boolean {
    return size(shape) <= LARGEST_FOLDED && operands.every(({ slot }) => this.#constants.has(slot));
  }

  #now(operands: readonly Value[], call: Call<H>): H {
    const [result] = this.#device.scope(() => [call(operands.map(({ slot }) => this.#constants.get(slot)!))]);
    return result!;
  }

  #hold({ dtype, shape }: TensorType, handle: H): Value {
    const value = { dtype, shape, slot: this.#slots++ };
    this.#constants.set(value.slot, handle);
    return value;
  }
}
