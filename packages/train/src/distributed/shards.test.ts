import { size, type TensorType } from "@finegrain/graph";
import fc from "fast-check";
import { expect, test } from "vitest";
import { BLOCK, shardParameters } from "./shards.ts";

const shapes = fc.array(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 3 }), { minLength: 1, maxLength: 12 });
const paramsOf = (all: readonly (readonly number[])[]): Map<string, TensorType> =>
  new Map(all.map((shape, i) => [`p${i}`, { shape, dtype: "float32" }]));

test.each([false, true])("every element is in one place of one region (whole parameters: %s)", (whole) => {
  fc.assert(
    fc.property(shapes, fc.integer({ min: 1, max: 9 }), (all, ranks) => {
      const params = paramsOf(all);
      const { region, pieces } = shardParameters(params, ranks, { whole });
      expect(pieces).toHaveLength(ranks);
      const ends = new Map<string, number>();
      for (const own of pieces) {
        let used = 0;
        for (const { path, start, end, offset, type, name } of own) {
          expect([start, offset, size(type.shape)]).toEqual([ends.get(path) ?? 0, used, end - start]);
          expect(start % BLOCK).toBe(0);
          if (whole || end - start === size(params.get(path)!.shape))
            expect([name, type]).toEqual([path, params.get(path)]);
          ends.set(path, end);
          used += end - start;
        }
        expect(used).toBeLessThanOrEqual(region);
      }
      expect([...ends]).toEqual([...params].map(([path, { shape }]) => [path, size(shape)]));
    }),
    { numRuns: 100 },
  );
});

test("where parameters may be cut, no rank has more than its part and a block", () => {
  fc.assert(
    fc.property(shapes, fc.integer({ min: 1, max: 9 }), (all, ranks) => {
      const total = all.reduce((sum, shape) => sum + size(shape), 0);
      const { region } = shardParameters(paramsOf(all), ranks, { whole: false });
      expect(region).toBeLessThan(Math.ceil(total / ranks) + BLOCK);
    }),
    { numRuns: 100 },
  );
});
