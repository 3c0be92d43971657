import { f32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { topological } from "../graph.ts";
import { type CompositeOp, defineComposite, expectDtype } from "../op.ts";
import { add } from "../ops/add.ts";
import { barrier } from "../ops/barrier.ts";
import { concat } from "../ops/concat.ts";
import { mul } from "../ops/mul.ts";
import { reshape } from "../ops/reshape.ts";
import { slice } from "../ops/slice-pad.ts";
import { sub } from "../ops/sub.ts";
import { tanh } from "../ops/tanh.ts";
import type { Tensor } from "../tensor.ts";
import { sameShape, typeName } from "../tensor.ts";

/** What one stream adds to the other: a pure function of it and of the operands after the streams, through which it reaches every weight. */
export type ReversibleHalf = (x: Tensor, operands: readonly Tensor[]) => Tensor;

export interface ReversibleAttrs {
  readonly halves: readonly ReversibleHalf[];
}

type Streams = readonly [Tensor, Tensor];

/** [...] twice -> [2, ...]. */
const stacked = ([x1, x2]: Streams): Tensor =>
  concat(reshape(x1, [1, ...x1.shape]), reshape(x2, [1, ...x2.shape]), { axis: 0 });

/** One of both streams: [2, ...] -> [...]. */
export function streamOf(both: Tensor, which: 0 | 1): Tensor {
  const rest = both.shape.slice(1);
  const part = slice(both, { starts: [which, ...rest.map(() => 0)], ends: [which + 1, ...rest] });
  return reshape(part, rest);
}

/**
 * Two streams that half residuals are added to in turns: (x1, x2) becomes (x2, x1 + f(x2)) for each half f.
 *
 *   x1, x2    float32  [...]       of one shape
 *   operands  any                  what the halves need besides
 *   returns   float32  [2, ...]    both streams
 *
 * Nothing between is kept for the backward pass, which takes each half's inputs back from its outputs, x1 = y2 - f(y1): the memory of
 * a training step does not grow with the number of halves. Gomez et al. 2017, "The Reversible Residual Network"; Kitaev et al.
 * 2020, "Reformer".
 */
export const reversible: CompositeOp<readonly [x1: Tensor, x2: Tensor, ...operands: Tensor[]], ReversibleAttrs> =
  defineComposite({
    name: "reversible",
    infer([x1, x2]) {
      expectDtype("reversible", x1, "float32");
      expectDtype("reversible", x2, "float32");
      if (!sameShape(x1.shape, x2.shape))
        throw new ShapeError(`reversible: the streams ${typeName(x1)} and ${typeName(x2)} differ`);
      return { dtype: x1.dtype, shape: [2, ...x1.shape] };
    },
    decompose: ([x1, x2, ...operands], { halves }) =>
      stacked(halves.reduce<Streams>(([a, b], f) => [b, add(a, f(b, operands))], [x1, x2])),
    vjp(ct, [, , ...operands], { halves }, y, pullback) {
      let [y1, y2] = [streamOf(y, 0), streamOf(y, 1)];
      let [c1, c2] = [streamOf(ct, 0), streamOf(ct, 1)];
      const sums = new Map<Tensor, Tensor>();
      for (const f of [...halves].reverse()) {
        // Behind a barrier, so that nothing merges this computation with the first, or does it before its turn.
        const x2 = barrier(y1, c2);
        const own = f(x2, operands);
        const used = usedBy(own, x2, operands);
        const [ofStream, ...found] = pullback(own, c2, [x2, ...used]);
        const shares = found.map((contribution, i) => {
          const sofar = sums.get(used[i]!);
          const sum = sofar ? add(sofar, contribution) : contribution;
          sums.set(used[i]!, sum);
          return sum;
        });
        [y1, y2] = [sub(y2, own), x2];
        // Not before this half's operands have their share: what that is made of is not needed any more.
        [c1, c2] = [c2, shares.reduce((c, share) => barrier(c, share), add(c1, ofStream!))];
      }
      return [c1, c2, ...operands.map((x, i) => (operands.indexOf(x) === i ? (sums.get(x) ?? null) : null))];
    },
    cases: [[f32(2, 3), f32(2, 3), f32(3), { halves: [wave, product] }]],
    sample(draw) {
      const shape = draw.shape();
      return [f32(...shape), f32(...shape), f32(...shape), { halves: [wave, product, wave] }];
    },
  });

/** The operands of which float32 values go into y. */
function usedBy(y: Tensor, x: Tensor, operands: readonly Tensor[]): Tensor[] {
  const within = new Set(topological([y], new Set([x, ...operands])));
  return [...new Set(operands)].filter((operand) => operand.dtype === "float32" && within.has(operand));
}

/** Halves of the cases. */
function wave(x: Tensor, [w]: readonly Tensor[]): Tensor {
  return tanh(mul(x, w!));
}
function product(x: Tensor, [w]: readonly Tensor[]): Tensor {
  return mul(tanh(x), w!);
}
