import {
  add,
  linearRecurrence,
  mul,
  pad,
  relu,
  reshape,
  sigmoid,
  slice,
  sub,
  type Tensor,
  tanh,
} from "@finegrain/graph";
import { type Context, evaluation } from "../../context.ts";
import type { CachedLayer, Weights } from "../../layer.ts";
import { type DenseParams, dense } from "../projections/dense.ts";

const activations = { none: (x: Tensor) => x, relu, tanh } as const;

export interface SruConfig {
  /** Features of the input, the state and the output. */
  readonly units: number;
  /** Of the state where it is read. Default "none". */
  readonly activation?: keyof typeof activations;
}

/** How much larger what passes by the state is made, which keeps the variance: Lei et al. 2017, 3.2. */
const BYPASS = Math.sqrt(3);

/**
 * The simple recurrent unit, x float32 [batch, time, units]:
 *
 *   r, f, z = x W + b, r and f through a sigmoid;  c_t = f_t c_(t-1) + (1 - f_t) z_t;  y = r g(c) + √3 (1 - r) x
 *
 * Its gates depend on the input alone: all tokens are computed at once, and their states by one linear recurrence. Lei et al. 2017,
 * "Simple Recurrent Units for Highly Parallelizable Recurrence"; Trax `SRU`.
 */
export function sru({ units, activation = "none" }: SruConfig): CachedLayer<DenseParams, "state"> {
  const gates = dense({ dIn: units, dOut: 3 * units });

  const run = (w: Weights<DenseParams>, x: Tensor, context: Context, before?: Tensor) => {
    const [batch, time] = x.shape as [number, number];
    const all = gates.apply(w, x, context);
    const part = (i: number) => slice(all, { starts: [0, 0, i * units], ends: [batch, time, (i + 1) * units] });
    const [reset, forget] = [sigmoid(part(0)), sigmoid(part(1))];
    const fresh = mul(sub(1, forget), part(2));
    const states = linearRecurrence(forget, before ? withBefore(fresh, forget, before) : fresh, { axis: 1 });
    const y = add(mul(reset, activations[activation](states)), mul(mul(sub(1, reset), x), BYPASS));
    return { y, states };
  };

  return {
    params: gates.params,
    apply: (w, x, context) => run(w, x, context).y,
    caches: (batch) => ({ state: { dtype: "float32", shape: [batch, units] } }),
    decode(w, x, { state }) {
      const { y, states } = run(w, x, evaluation, state);
      const [batch, time] = x.shape as [number, number];
      const last = slice(states, { starts: [0, time - 1, 0], ends: [batch, time, units] });
      return { y, caches: { state: reshape(last, [batch, units]) } };
    },
  };
}

/** What the first of new tokens keeps of the state before it comes in with its own: f_0 c + fresh_0. */
function withBefore(fresh: Tensor, forget: Tensor, state: Tensor): Tensor {
  const [batch, time, units] = fresh.shape as [number, number, number];
  const first = slice(forget, { starts: [0, 0, 0], ends: [batch, 1, units] });
  const kept = mul(first, reshape(state, [batch, 1, units]));
  return add(fresh, time === 1 ? kept : pad(kept, { low: [0, 0, 0], high: [0, time - 1, 0] }));
}
