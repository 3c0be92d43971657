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

/**
 * Run a program over a handle for every input. Those that are spent are freed, or become outputs, even where a step throws.
 * @returns a handle of its own for every output.
 */
export function runProgram<H>(program: Program<H>, inputs: readonly H[], memory: Memory<H>): H[] {
  const values = new Array<H>(program.slots);
  for (const [slot, handle] of program.constants) values[slot] = handle;
  program.inputs.forEach((slot, i) => {
    values[slot] = inputs[i]!;
  });
  for (const slot of program.unread) memory.free(values[slot]!);
  let at = 0;
  try {
    for (; at < program.steps.length; at++) {
      const { operands, result, call, dead } = program.steps[at]!;
      values[result] = call(operands.map((slot) => values[slot]!));
      for (const slot of dead) memory.free(values[slot]!);
    }
  } catch (error) {
    // A tensor that was written into is in two slots.
    for (const handle of new Set(alive(program, at).map((slot) => values[slot]!))) memory.free(handle);
    throw error;
  }
  return program.outputs.map(({ slot, isShared }) => (isShared ? memory.share(values[slot]!) : values[slot]!));
}

/** What a run holds when the step number `at` fails. */
function alive<H>({ spent, written, unread, steps }: Program<H>, at: number): number[] {
  const held = new Set([...spent.filter((slot) => !unread.includes(slot)), ...written]);
  for (const { result, dead } of steps.slice(0, at)) {
    held.add(result);
    for (const slot of dead) held.delete(slot);
  }
  return [...held];
}
