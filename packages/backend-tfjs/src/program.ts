/** One call of an engine: it reads slots and fills one. */
export interface Step<H> {
  readonly operands: readonly number[];
  readonly result: number;
  readonly call: (operands: readonly H[]) => H;
}

/** A graph as it runs: calls in a row over a list of slots. Shapes are no part of it: they were settled when it was built. */
export interface Program<H> {
  readonly slots: number;
  readonly constants: readonly (readonly [slot: number, handle: H])[];
  readonly inputs: readonly number[];
  /** Inputs that are the run's to free or to give away. */
  readonly spent: readonly number[];
  /** Inputs that the run writes into, each of which is an output. */
  readonly written: readonly number[];
  readonly outputs: readonly Output[];
  /** Each with the slots that nothing reads behind it. */
  readonly steps: readonly (Step<H> & { readonly dead: readonly number[] })[];
  /** Spent inputs that nothing reads at all. */
  readonly unread: readonly number[];
}

interface Output {
  readonly slot: number;
  /** Its tensor stays with someone else too: with the caller, with the program, or with another output. */
  readonly isShared: boolean;
}

/** What running needs of an engine. */
interface Memory<H> {
  free(handle: H): void;
  share(handle: H): H;
}

/** Close a program: find out when each slot is read for the last time, and who owns what the outputs show. */
export function schedule<H>(
  parts: Pick<Program<H>, "slots" | "constants" | "inputs" | "spent" | "written"> & {
    readonly steps: readonly Step<H>[];
    readonly outputs: readonly number[];
  },
): Program<H> {
  const own = new Set([...parts.spent, ...parts.steps.map(({ result }) => result)]);
  const mortal = new Set([...own].filter((slot) => !parts.outputs.includes(slot)));
  const last = new Map<number, number>();
  parts.steps.forEach(({ operands, result }, at) => {
    for (const slot of [...operands, result]) if (mortal.has(slot)) last.set(slot, at);
  });
  const dead = parts.steps.map((): number[] => []);
  for (const [slot, at] of last) dead[at]!.push(slot);
  return {
    ...parts,
    outputs: parts.outputs.map((slot, i) => ({ slot, isShared: !own.has(slot) || parts.outputs.indexOf(slot) < i })),
    steps: parts.steps.map((step, at) => ({ ...step, dead: dead[at]! })),
    unread: [...mortal].filter((slot) => !last.has(slot)),
  };
}

/** A run of a program over a handle for every input. It owns those that are spent: they are freed, or become outputs. */
export class ProgramRun<H> {
  readonly #program: Program<H>;
  readonly #memory: Memory<H>;
  readonly #values: H[];
  #at = 0;

  constructor(program: Program<H>, inputs: readonly H[], memory: Memory<H>) {
    this.#program = program;
    this.#memory = memory;
    this.#values = new Array<H>(program.slots);
    for (const [slot, handle] of program.constants) this.#values[slot] = handle;
    program.inputs.forEach((slot, i) => {
      this.#values[slot] = inputs[i]!;
    });
    for (const slot of program.unread) memory.free(this.#values[slot]!);
  }

  get isOver(): boolean {
    return this.#at === this.#program.steps.length;
  }

  /** Make the next calls, until `isEnough` says so after one of them. */
  go(isEnough: () => boolean): void {
    const { steps } = this.#program;
    const values = this.#values;
    while (this.#at < steps.length) {
      const { operands, result, call, dead } = steps[this.#at]!;
      values[result] = call(operands.map((slot) => values[slot]!));
      for (const slot of dead) this.#memory.free(values[slot]!);
      this.#at++;
      if (isEnough()) return;
    }
  }

  /** A handle of its own for every output, once it is over. */
  outputs(): H[] {
    return this.#program.outputs.map(({ slot, isShared }) =>
      isShared ? this.#memory.share(this.#values[slot]!) : this.#values[slot]!,
    );
  }

  /** What it holds on the way. A tensor that was written into is in two slots. */
  held(): H[] {
    return [...new Set(alive(this.#program, this.#at).map((slot) => this.#values[slot]!))];
  }
}

/** The slots that a run holds before the step number `at`. */
function alive<H>({ spent, written, unread, steps }: Program<H>, at: number): number[] {
  const held = new Set([...spent.filter((slot) => !unread.includes(slot)), ...written]);
  for (const { result, dead } of steps.slice(0, at)) {
    held.add(result);
    for (const slot of dead) held.delete(slot);
  }
  return [...held];
}
