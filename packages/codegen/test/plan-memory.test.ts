import { add, einsum, exp, graph, input, mul, reduceSum, type Tensor } from "@finegrain/graph";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Arena, bytesOf, fuse, planMemory, readsOf } from "../src/index.ts";

test("what lives at the same time never overlaps, at multiples of 64 bytes", () =>
  fc.assert(
    fc.property(
      fc.array(fc.nat(), { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 1, max: 4 }),
      fc.constantFrom(undefined, 256, 4096, 5120, 2 ** 14),
      (choices, together, slabBytes) => {
        const x = input([32, 32], "float32", "x");
        const values: Tensor[] = [x];
        for (const choice of choices) {
          const [a, b] = [values[choice % values.length]!, values[(choice >> 3) % values.length]!];
          values.push(
            [exp(a), einsum(a, b, "I J, J K -> I K"), add(exp(a), exp(b)), mul(a, reduceSum(b, { axes: [0] }))][
              choice % 4
            ]!,
          );
        }
        const program = fuse(graph({ name: "drawn", inputs: [x], outputs: [values.at(-1)!] }));
        const steps = Array.from({ length: Math.ceil(program.kernels.length / together) }, (_, i) =>
          program.kernels.slice(i * together, (i + 1) * together),
        );
        const { offsets, bytes } = planMemory(program, together === 1 ? undefined : steps, slabBytes);
        const slabOf = (offset: number) => (slabBytes === undefined ? 0 : Math.floor(offset / slabBytes));
        const life = [...offsets].map(([buffer, offset]) => {
          const touched = steps.flatMap((kernels, at) =>
            kernels.some((kernel) => kernel.to === buffer || readsOf(kernel).includes(buffer)) ? [at] : [],
          );
          return { offset, end: offset + bytesOf(buffer), from: touched[0]!, to: touched.at(-1)! };
        });
        for (const [i, a] of life.entries()) {
          expect(a.offset % 64).toBe(0);
          expect(a.end).toBeLessThanOrEqual(bytes);
          if (slabOf(a.offset) !== slabOf(a.end - 1)) {
            expect(a.end - a.offset).toBeGreaterThan(slabBytes!);
            expect(a.offset % slabBytes!).toBe(0);
          }
          for (const b of life.slice(0, i))
            if (a.from <= b.to && b.from <= a.to) expect(a.end <= b.offset || b.end <= a.offset).toBe(true);
        }
      },
    ),
    { numRuns: 120, seed: 4 },
  ));

test("freed neighbours become one place again", () => {
  const arena = new Arena();
  const places = [100, 200, 300].map((bytes) => [arena.take(bytes), bytes] as const);
  const end = arena.bytes;
  for (const [offset, bytes] of [places[0]!, places[2]!, places[1]!]) arena.free(offset, bytes);
  expect(arena.take(end)).toBe(0);
  expect(arena.bytes).toBe(end);
});

test("a place is in one slab of a memory, and begins one where it is larger", () => {
  const arena = new Arena(1024);
  expect([640, 512, 64, 3000, 384].map((bytes) => arena.take(bytes))).toEqual([0, 1024, 640, 2048, 1536]);
});
