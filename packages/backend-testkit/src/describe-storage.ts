import {
  type Backend,
  cast,
  einsum,
  fromInt4,
  fromInt4Inputs,
  gather,
  graph,
  type HostTensor,
  hostTensor,
  INT4_GROUP,
  INT4_WORD,
  input,
  int4Products,
  mul,
  type StorageDType,
  type Tensor,
  toFloat16,
  transpose,
} from "@finegrain/graph";
import { describe, it } from "vitest";
import { randomValue } from "./random-value.ts";
import { expectAgreement } from "./run-graph.ts";

const ROWS = 24;
const WIDTH = 20;
/** Of weights of 4 bits: seven groups. */
const PACKED_WIDTH = 224;

/** Products with a table [ROWS, WIDTH] of weights, along either axis, and of rows that are picked. */
const products: Readonly<Record<string, (table: Tensor, x: Tensor, rows: Tensor) => Tensor>> = {
  "as they are": (table) => table,
  "inner products with rows": (table, x) => einsum(x, table, "B D, R D -> B R"),
  "a sum of rows": (table, x) => einsum(einsum(x, table, "B D, R D -> B R"), table, "B R, R D -> B D"),
  "picked rows": (table, x, rows) => einsum(x, gather(table, rows), "B D, B R D -> B R"),
  "a sum of picked rows": (table, x, rows) =>
    einsum(einsum(x, gather(table, rows), "B D, B R D -> B R"), gather(table, rows), "B R, B R D -> B D"),
};

function stored(dtype: StorageDType): HostTensor {
  const { shape, data } = randomValue({ dtype: "float32", shape: [ROWS, WIDTH] }, 1);
  return dtype === "float16"
    ? hostTensor(dtype, shape, Uint16Array.from(data, toFloat16))
    : hostTensor(
        dtype,
        shape,
        Int8Array.from(data, (value) => Math.max(-127, Math.min(127, Math.round(value * 40)))),
      );
}

/** Weights that the backend stores in fewer bits give the reference's numbers, one row and many at a time. */
export function describeStorage(backend: () => Backend, tolerance: number): void {
  describe.each(["float16", "int8"] as const)("weights in %s", (dtype) => {
    describe.each(Object.entries(products))("%s", (_, product) => {
      it.each([1, 3, 30])("%d at a time", async (count) => {
        const given = input([ROWS, WIDTH], dtype, "weights");
        const scale = input([ROWS, 1], "float32", "scale");
        const [x, rows] = [input([count, WIDTH], "float32", "x"), input([count, 5], "int32", "rows")];
        const table = dtype === "int8" ? mul(cast(given, "float32"), scale) : cast(given, "float32");
        const program = graph({
          name: `${dtype} weights`,
          inputs: [given, scale, x, rows],
          outputs: [product(table, x, rows)],
        });
        const others = [scale, x].map((type, i) => randomValue(type, i + 2));
        const picked = randomValue({ dtype: "int32", shape: rows.shape, below: ROWS }, 4);
        await expectAgreement(backend(), program, [stored(dtype), ...others, picked], tolerance);
      });
    });
  });
  describe("weights in int4", () => {
    describe.each(Object.entries(products))("%s", (_, product) => {
      it.each([1, 3])("%d at a time", async (count) => {
        const words = input([ROWS, PACKED_WIDTH / INT4_WORD], "int32", "words");
        const groups = [ROWS, PACKED_WIDTH / INT4_GROUP];
        const [scale, min] = [input(groups, "float16", "scale"), input(groups, "float16", "min")];
        const [x, rows] = [input([count, PACKED_WIDTH], "float32", "x"), input([count, 5], "int32", "rows")];
        const table = fromInt4(words, cast(scale, "float32"), cast(min, "float32"));
        const whole = graph({
          name: "int4 weights",
          inputs: [words, scale, min, x, rows],
          outputs: [product(table, x, rows)],
        });
        const halves = [3, 4].map((seed) => {
          const { shape, data } = randomValue({ dtype: "float32", shape: groups }, seed);
          return hostTensor("float16", shape, Uint16Array.from(data, toFloat16));
        });
        const packed = randomValue({ ...words, atLeast: -(2 ** 31), below: 2 ** 31 }, 1);
        const picked = randomValue({ dtype: "int32", shape: rows.shape, below: ROWS }, 4);
        await expectAgreement(
          backend(),
          int4Products(whole),
          [packed, ...halves, randomValue(x, 2), picked],
          tolerance,
        );
      });
    });
    // Of a group of inputs none, few, about half or all are 0, or all are as large as can be.
    it.each([1, 3])("inputs that are 0, %d at a time", async (count) => {
      const [inputs, outputs] = [PACKED_WIDTH, 3 * INT4_GROUP];
      const words = input([inputs, outputs / INT4_WORD], "int32", "words");
      const groups = [inputs / INT4_GROUP, outputs];
      const [scale, min] = [input(groups, "float16", "scale"), input(groups, "float16", "min")];
      const x = input([count, inputs], "float32", "x");
      const table = fromInt4Inputs(words, cast(scale, "float32"), cast(min, "float32"));
      const outputsOf = [einsum(x, table, "B K, K R -> B R"), einsum(x, transpose(table, [1, 0]), "B K, R K -> B R")];
      const whole = graph({ name: "int4 weights by input", inputs: [words, scale, min, x], outputs: outputsOf });
      const halves = [3, 4].map((seed) => {
        const { shape, data } = randomValue({ dtype: "float32", shape: groups }, seed);
        return hostTensor("float16", shape, Uint16Array.from(data, toFloat16));
      });
      const packed = randomValue({ ...words, atLeast: -(2 ** 31), below: 2 ** 31 }, 1);
      const least = [0, 0.1, 0.8, 3, Number.POSITIVE_INFINITY];
      const sparse = Float32Array.from(randomValue(x, 2).data, (value, i) => {
        const group = Math.floor(i / INT4_GROUP) % groups[0]!;
        return group < least.length ? (Math.abs(value) < least[group]! ? 0 : value) : group === least.length ? 1 : -1;
      });
      const given = [packed, ...halves, hostTensor("float32", x.shape, sparse)];
      await expectAgreement(backend(), int4Products(whole), given, tolerance);
    });
  });
}
