import {
  broadcastTo,
  evaluate,
  gradient,
  graph,
  type HostTensor,
  hostTensor,
  input,
  mul,
  reduceSum,
  scalar,
  size,
  slice,
  type Tensor,
} from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import {
  alike,
  axialPositions,
  bidirectionalFavorAttention,
  type CachedLayer,
  crossAttention,
  dense,
  evaluation,
  favorAttention,
  initialize,
  lshAttention,
  mapParams,
  type Params,
  permuteFeatures,
  type SelfAttention,
  selfAttention,
  type Weights,
} from "../src/index.ts";

const HEADS = { dModel: 8, heads: 2 } as const;

const numbers = (...shape: number[]): HostTensor =>
  hostTensor(
    "float32",
    shape,
    Float64Array.from({ length: size(shape) }, (_, i) => Math.sin(1 + 1.7 * i)),
  );

/** What `build` makes of a layer's first weights and these values. */
function run<P extends Params>(
  params: P,
  build: (w: Weights<P>, inputs: Tensor[]) => readonly Tensor[],
  values: readonly HostTensor[],
): number[][] {
  const weights: Tensor[] = [];
  const w = mapParams(params, ({ shape }) => {
    const x = input(shape);
    weights.push(x);
    return x;
  });
  const inputs = values.map(({ shape, dtype }) => input(shape, dtype));
  const outputs = build(w as Weights<P>, inputs);
  const results = evaluate(graph({ inputs: [...weights, ...inputs], outputs }), [
    ...initialize(params, 3).values(),
    ...values,
  ]);
  return results.map(({ data }) => [...data]);
}

const close = (actual: readonly number[], expected: readonly number[]) => {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((x, i) => {
    expect(x).toBeCloseTo(expected[i]!, 7);
  });
};

const outputOf = ({ params, apply }: SelfAttention, x: HostTensor): number[] =>
  run(params, (w, [t]) => [apply(w, t!, evaluation)], [x])[0]!;

describe("LSH attention", () => {
  const one = { chunk: 6, chunksBefore: 0, chunksAfter: 0 };

  test.each([
    [true, 1],
    [true, 3],
    [false, 2],
  ])("of one chunk is the whole attention: causal %s, %d rounds", (causal, hashes) => {
    const x = numbers(2, 6, 8);
    const whole = outputOf(selfAttention({ ...HEADS, causal, shareQK: true }), x);
    close(outputOf(lshAttention({ ...HEADS, causal, chunks: one, hashes, buckets: 4 }), x), whole);
  });

  test("how much padding there is decides nothing", () => {
    const chunks = { chunk: 2, chunksBefore: 0, chunksAfter: 0 };
    const layer = lshAttention({ ...HEADS, causal: false, chunks, hashes: 2, buckets: 4 });
    const isToken = hostTensor("bool", [1, 12], [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]);
    const [much, little] = run(
      layer.params,
      (w, [x, is]) => [
        layer.apply(w, x!, evaluation, is!),
        layer.apply(
          w,
          slice(x!, { starts: [0, 0, 0], ends: [1, 6, 8] }),
          evaluation,
          slice(is!, { starts: [0, 0], ends: [1, 6] }),
        ),
      ],
      [numbers(1, 12, 8), isToken],
    );
    close(much!.slice(0, 5 * 8), little!.slice(0, 5 * 8));
  });

  test("refuses buckets that are not even, no rounds and empty chunks", () => {
    const given = { ...HEADS, chunks: one, hashes: 1, buckets: 4 };
    expect(() => lshAttention({ ...given, buckets: 5 })).toThrow("buckets 5 is not a multiple of directions 2");
    expect(() => lshAttention({ ...given, hashes: 0 })).toThrow("hashes must be a positive integer, not 0");
    expect(() => lshAttention({ ...given, chunks: { ...one, chunk: 0 } })).toThrow("chunk must be a positive integer");
    expect(() => lshAttention({ ...given, chunks: { ...one, chunksBefore: -1 } })).toThrow(
      "chunksBefore must be a whole number, not -1",
    );
  });
});

describe("attention in chunks", () => {
  const chunks = { chunk: 4, chunksBefore: 1, chunksAfter: 0 };

  test("a text that is no whole number of chunks is padded", () => {
    const layer = selfAttention({ ...HEADS, chunks });
    const [whole, part] = run(
      layer.params,
      (w, [x]) => [
        layer.apply(w, x!, evaluation),
        layer.apply(w, slice(x!, { starts: [0, 0, 0], ends: [1, 6, 8] }), evaluation),
      ],
      [numbers(1, 8, 8)],
    );
    close(part!, whole!.slice(0, 6 * 8));
  });

  test("padding is not attended to, in chunks or not", () => {
    for (const cut of [{}, { chunks: { ...chunks, chunk: 8 } }]) {
      const layer = selfAttention({ ...HEADS, causal: false, shareQK: true, ...cut });
      const isToken = hostTensor("bool", [1, 6], [1, 1, 1, 1, 0, 0]);
      const [masked, part] = run(
        layer.params,
        (w, [x, is]) => [
          layer.apply(w, x!, evaluation, is!),
          layer.apply(w, slice(x!, { starts: [0, 0, 0], ends: [1, 4, 8] }), evaluation),
        ],
        [numbers(1, 6, 8), isToken],
      );
      close(masked!.slice(0, 4 * 8), part!);
    }
  });
});

/** A layer's decode of a text in parts of these lengths. */
function decodeInParts(layer: CachedLayer, w: Weights<Params>, x: Tensor, lengths: readonly number[]): Tensor[] {
  const [batch, , dModel] = x.shape as [number, number, number];
  let caches: Record<string, Tensor> = Object.fromEntries(
    Object.entries(layer.caches(batch, 8)).map(([name, { shape }]) => [name, broadcastTo(scalar(0), shape)]),
  );
  let start = 0;
  return lengths.map((length) => {
    const part = slice(x, { starts: [0, start, 0], ends: [batch, start + length, dModel] });
    const step = layer.decode(w, part, caches, scalar(start, "int32"));
    start += length;
    caches = step.caches;
    return step.y;
  });
}

describe("attention by features", () => {
  const layer = favorAttention(HEADS) as CachedLayer;

  test("decodes as it reads, with memory that does not grow", () => {
    const x = numbers(2, 6, 8);
    const [full, ...parts] = run(
      layer.params,
      (w, [t]) => [layer.apply(w, t!, evaluation), ...decodeInParts(layer, w, t!, [4, 1, 1])],
      [x],
    );
    const rows = (data: readonly number[], time: number, from: number, to: number) =>
      [0, 1].flatMap((b) => data.slice((b * time + from) * 8, (b * time + to) * 8));
    close(parts[0]!, rows(full!, 6, 0, 4));
    close(parts[2]!, rows(full!, 6, 5, 6));
    expect(layer.caches(2, 8)).toEqual(layer.caches(2, 4096));
  });

  test("sees the chunks before, and nothing later", () => {
    const [long, short] = run(
      layer.params,
      (w, [x]) => [
        layer.apply(w, x!, evaluation),
        layer.apply(w, slice(x!, { starts: [0, 0, 0], ends: [1, 60, 8] }), evaluation),
      ],
      [numbers(1, 150, 8)],
    );
    close(long!.slice(0, 60 * 8), short!);
  });

  test("has gradients where the last chunk is not full", () => {
    const gradients = run(
      layer.params,
      (w, [x]) => {
        const y = layer.apply(w, x!, evaluation);
        return [gradient(reduceSum(mul(y, y), { axes: [0, 1, 2] }), [x!])[0]!];
      },
      [numbers(1, 70, 8)],
    )[0]!;
    expect(gradients.every(Number.isFinite)).toBe(true);
    expect(gradients.some((x) => Math.abs(x) > 1e-4)).toBe(true);
  });

  test("of the last token is the same in both directions", () => {
    const both = bidirectionalFavorAttention(HEADS);
    const x = numbers(1, 70, 8);
    const all = run(both.params, (w, [t]) => [both.apply(w, t!, evaluation)], [x])[0]!;
    const causal = run(layer.params, (w, [t]) => [layer.apply(w, t!, evaluation)], [x])[0]!;
    close(causal.slice(-8), all.slice(-8));
  });
});

test("attention to a memory decodes as it reads, and its padding does not matter", () => {
  const layer = crossAttention(HEADS, alike(dense({ dIn: 8, dOut: 8 })));
  const isToken = hostTensor("bool", [1, 5], [1, 1, 1, 0, 0]);
  const [full, decoded, without] = run(
    layer.params,
    (w, [x, keys, is]) => {
      const part = slice(keys!, { starts: [0, 0, 0], ends: [1, 3, 8] });
      return [
        layer.apply(w, x!, { keys: keys!, isToken: is! }, evaluation),
        layer.decode(w, x!, layer.remember(w, { keys: keys! }), is!),
        layer.apply(w, x!, { keys: part }, evaluation),
      ];
    },
    [numbers(1, 4, 8), numbers(1, 5, 8), isToken],
  );
  close(decoded!, full!);
  close(without!, full!);
});

test("refuses features and grids that do not fit", () => {
  expect(() => permuteFeatures(input([2, 12]))).toThrow("a power of two, not 12");
  expect(() => axialPositions({ shape: [2, 4], features: [8] })).toThrow("have not as many axes");
});
