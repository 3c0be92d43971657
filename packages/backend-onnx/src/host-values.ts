import { FinegrainError, graph, type ListGraph, size, type Tensor, topological, typeName } from "@finegrain/graph";

/** A subgraph that the host computes before every run must be as small as the places, keys and counters that it is for. */
const LARGEST = 16;

/** The integers that the host needs before a run, collected while a graph is lowered. */
export class HostValues {
  readonly #inputs: readonly Tensor[];
  readonly #wanted: Tensor[] = [];

  constructor(inputs: readonly Tensor[]) {
    this.#inputs = inputs;
  }

  /** Whether the host can compute it: a few integers of a few integers. */
  knows(value: Tensor): boolean {
    return topological([value]).every(({ dtype, shape }) => dtype === "int32" && size(shape) <= LARGEST);
  }

  /**
   * Which output of the host graph a value is.
   * @throws FinegrainError where it is not a small integer of small integers.
   */
  want(given: Tensor, what: string): number {
    const value = beforeBarriers(given);
    if (!this.knows(value))
      throw new FinegrainError(
        `ONNX Runtime takes ${what} from the host, so it must come from a few int32 inputs, not ${typeName(value)} of larger ones`,
      );
    const known = this.#wanted.indexOf(value);
    return known >= 0 ? known : this.#wanted.push(value) - 1;
  }

  finish(name: string): { graph: ListGraph; inputs: number[] } {
    const used = new Set(topological(this.#wanted));
    const inputs = this.#inputs.flatMap((x, i) => (used.has(x) ? [i] : []));
    return {
      graph: graph({
        name: `${name}, on the host`,
        inputs: inputs.map((i) => this.#inputs[i]!),
        outputs: this.#wanted,
      }),
      inputs,
    };
  }
}

/** What the host knows before a run need not wait for anything in it. */
function beforeBarriers(value: Tensor): Tensor {
  return value.op === "barrier" ? beforeBarriers(value.inputs[0]!) : value;
}
