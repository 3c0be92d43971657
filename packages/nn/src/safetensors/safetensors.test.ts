import { FinegrainError, type HostTensor, hostTensor } from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import { readSafetensorsHeader, safetensorsHeader } from "./header.ts";
import { decodeTensor, readSafetensors, safetensorsChunks, writeSafetensors } from "./safetensors.ts";

const tensors = new Map<string, HostTensor>([
  ["mask", hostTensor("bool", [3], [1, 0, 1])],
  ["layer.kernel", hostTensor("float32", [2, 3], [1.5, -2, 3, Number.POSITIVE_INFINITY, 5e-40, 6])],
  ["ids", hostTensor("int32", [2], [-1, 2 ** 31 - 1])],
  ["empty", hostTensor("float32", [0, 4], [])],
  ["scalar", hostTensor("float32", [], [7])],
]);

/** A file with this header object and data, as another program might write it. */
function fileOf(header: unknown, data: Uint8Array, text = JSON.stringify(header)): Uint8Array {
  const json = new TextEncoder().encode(text);
  const file = new Uint8Array(8 + json.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  file.set(data, 8 + json.length);
  return file;
}
const one = (dtype: string, shape: number[], bytes: Uint8Array) =>
  fileOf({ x: { dtype, shape, data_offsets: [0, bytes.length] } }, bytes);

describe("round trip", () => {
  test("tensors, shapes, dtypes and metadata come back", () => {
    const { tensors: back, metadata } = readSafetensors(writeSafetensors(tensors, { source: "Σ" }));
    expect(metadata).toEqual({ source: "Σ" });
    expect(new Set(back.keys())).toEqual(new Set(tensors.keys()));
    for (const [name, tensor] of tensors) expect(back.get(name)).toEqual(tensor);
  });

  test("the header is aligned to 8 bytes and tensors to their elements, so that reading copies nothing", () => {
    const file = writeSafetensors(tensors, { odd: "." });
    const header = readSafetensorsHeader(file);
    expect(header.length % 8).toBe(0);
    for (const { data } of readSafetensors(file).tensors.values()) expect(data.buffer).toBe(file.buffer);
  });

  test("an unaligned file is read through copies", () => {
    const shifted = new Uint8Array(1 + writeSafetensors(tensors).length).subarray(1);
    shifted.set(writeSafetensors(tensors));
    expect(readSafetensors(shifted).tensors.get("layer.kernel")).toEqual(tensors.get("layer.kernel"));
  });

  test("chunks are the same file, and ask for one tensor at a time", async () => {
    const asked: string[] = [];
    const chunks: Uint8Array[] = [];
    const read = (name: string) => {
      asked.push(name);
      return tensors.get(name)!;
    };
    for await (const chunk of safetensorsChunks(tensors, read, { a: "b" })) {
      chunks.push(chunk.slice());
      expect(asked.length).toBe(chunks.length - 1);
    }
    expect(Buffer.concat(chunks)).toEqual(Buffer.from(writeSafetensors(tensors, { a: "b" })));
  });

  test("float64 data of a float32 tensor is rounded when written", () => {
    const tensor: HostTensor = { dtype: "float32", shape: [1], data: Float64Array.of(0.1) };
    const { tensors: back } = readSafetensors(writeSafetensors(new Map([["x", tensor]])));
    expect(back.get("x")!.data).toEqual(Float32Array.of(0.1));
  });

  test("a tensor may be called __proto__", () => {
    const odd = new Map([["__proto__", hostTensor("float32", [1], [2])]]);
    expect([...readSafetensors(writeSafetensors(odd)).tensors.keys()]).toEqual(["__proto__"]);
  });

  test("sizes beyond 2 GB only need their header", () => {
    const { fileLength, bytes } = safetensorsHeader(new Map([["w", { dtype: "float32", shape: [1 << 20, 1 << 12] }]]));
    expect(fileLength).toBe(bytes.length + 2 ** 34);
    expect(readSafetensorsHeader(bytes, "w", fileLength).entries.get("w")!.end).toBe(fileLength);
  });
});

describe("dtypes of other programs", () => {
  const read = (file: Uint8Array) => readSafetensors(file, "f").tensors.get("x")!;
  const bytes = (data: Uint16Array | Float64Array | BigInt64Array) => new Uint8Array(data.buffer);

  test("F16 and BF16 are exact, subnormal and infinite included", () => {
    const halves = [0x3c00, 0xc000, 0x0001, 0x83ff, 0x7bff, 0x7c00, 0x8000];
    expect([...read(one("F16", [7], bytes(Uint16Array.from(halves)))).data]).toEqual([
      1,
      -2,
      2 ** -24,
      -1023 * 2 ** -24,
      65504,
      Number.POSITIVE_INFINITY,
      -0,
    ]);
    expect(read(one("F16", [1], bytes(Uint16Array.of(0x7e00)))).data[0]).toBeNaN();
    expect([...read(one("BF16", [3], bytes(Uint16Array.of(0x3f80, 0xc049, 0x0001)))).data]).toEqual([
      1,
      -3.140625,
      2 ** -133,
    ]);
  });

  test("F64 stays in float64 under the dtype float32", () => {
    const tensor = read(one("F64", [1], bytes(Float64Array.of(0.1))));
    expect(tensor).toEqual({ dtype: "float32", shape: [1], data: Float64Array.of(0.1) });
  });

  test("I64 becomes int32, or names the tensor and the value", () => {
    expect([...read(one("I64", [2], bytes(BigInt64Array.of(-5n, 7n)))).data]).toEqual([-5, 7]);
    expect(() => read(one("I64", [1], bytes(BigInt64Array.of(1n << 31n))))).toThrow(
      'tensor "x" has the I64 value 2147483648, which does not fit in int32',
    );
  });

  test("BOOL and U8 become bool", () => {
    expect(read(one("U8", [3], Uint8Array.of(0, 1, 255)))).toEqual(hostTensor("bool", [3], [0, 1, 1]));
    expect(read(one("BOOL", [2], Uint8Array.of(0, 1)))).toEqual(hostTensor("bool", [2], [0, 1]));
    expect(() => read(one("BOOL", [1], Uint8Array.of(2)))).toThrow('tensor "x" is BOOL but has the value 2');
  });
});

describe("one tensor does not block the others", () => {
  const x = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

  test.each(["F8_E4M3", "F8_E5M2", "C64", "F4", "NEW9"])(
    "%s is left out, and refused by its name when read",
    (dtype) => {
      const extents: Record<string, number[]> = { C64: [1], F4: [16] };
      const file = fileOf(
        {
          y: { dtype: "F32", shape: [1], data_offsets: [8, 12] },
          x: { dtype, shape: extents[dtype] ?? [8], data_offsets: [0, 8] },
        },
        Uint8Array.of(...x, 0, 0, 128, 63),
      );
      const { tensors: read, unreadable } = readSafetensors(file, "f");
      expect([...read]).toEqual([["y", hostTensor("float32", [1], [1])]]);
      expect([...unreadable]).toEqual([["x", dtype]]);
      const entry = readSafetensorsHeader(file, "f").entries.get("x")!;
      expect(() => decodeTensor(entry, x, "f")).toThrow(`f: tensor "x" has the dtype "${dtype}", which cannot be read`);
    },
  );

  test("whole numbers of other widths become int32, or name the tensor and the value", () => {
    const read = (dtype: string, data: Int16Array | Uint16Array | Uint32Array | BigUint64Array) =>
      readSafetensors(one(dtype, [data.length], new Uint8Array(data.buffer)), "f").tensors.get("x")!;
    expect(read("I16", Int16Array.of(-2, 7))).toEqual(hostTensor("int32", [2], [-2, 7]));
    expect(read("U16", Uint16Array.of(65535))).toEqual(hostTensor("int32", [1], [65535]));
    expect(read("U32", Uint32Array.of(9))).toEqual(hostTensor("int32", [1], [9]));
    expect(read("U64", BigUint64Array.of(9n))).toEqual(hostTensor("int32", [1], [9]));
    expect(() => read("U32", Uint32Array.of(2 ** 31))).toThrow('tensor "x" has the U32 value 2147483648');
    expect(() => read("U64", BigUint64Array.of(1n << 40n))).toThrow('tensor "x" has the U64 value 1099511627776');
  });

  test("metadata may be null", () => {
    expect(readSafetensors(fileOf({ __metadata__: null }, new Uint8Array(0))).metadata).toEqual({});
  });
});

test("int8, and float16 where it is kept, come back as they were written", () => {
  const narrow = new Map([
    ["q", hostTensor("int8", [3], Int8Array.of(-128, 0, 127))],
    ["h", hostTensor("float16", [3], Uint16Array.of(0x3c00, 0x7e00, 0xfc00))],
  ]);
  const { tensors: back } = readSafetensors(writeSafetensors(narrow), "f", { keepFloat16: true });
  for (const [name, tensor] of narrow) expect(back.get(name)).toEqual(tensor);
});

test("a bool that is neither 0 nor 1 is not written", () => {
  const wrong: HostTensor = { dtype: "bool", shape: [2], data: Uint8Array.of(1, 2) };
  expect(() => writeSafetensors(new Map([["x", wrong]]))).toThrow('tensor "x" is bool but has the value 2');
});

describe("broken files get one sentence", () => {
  const file = writeSafetensors(tensors);
  const bytes8 = new Uint8Array(8);
  const f32 = (begin: number, end: number, shape = [(end - begin) / 4]) => ({
    dtype: "F32",
    shape,
    data_offsets: [begin, end],
  });
  const cases: [what: string, file: Uint8Array, message: string | RegExp][] = [
    ["empty", new Uint8Array(0), "f is cut short: expected at least 8 bytes of header, found 0"],
    ["cut in the header", file.subarray(0, 20), /^f is cut short: expected \d+ bytes of header, found 20 bytes$/],
    [
      "cut in the data",
      file.subarray(0, file.length - 1),
      `f is cut short: expected ${file.length} bytes, found ${file.length - 1}`,
    ],
    ["too long", fileOf({ x: f32(0, 4) }, bytes8), /longer than its header says: expected \d+ bytes, found \d+/],
    ["no safetensors", new TextEncoder().encode("hello world, hello"), /no safetensors file: its header would be/],
    ["bad JSON", fileOf(null, bytes8, "{oops"), /its header is not JSON/],
    ["not an object", fileOf([], bytes8), "its header is not a JSON object"],
    ["size of an unreadable dtype", one("C64", [2], bytes8), 'tensor "x" (C64[2]) needs 16 bytes'],
    ["dtype without a name", fileOf({ x: { ...f32(0, 8), dtype: 3 } }, bytes8), 'tensor "x" has the dtype 3'],
    ["bad shape", one("F32", [-2], bytes8), 'tensor "x" has the shape [-2]'],
    ["bad offsets", fileOf({ x: { dtype: "F32", shape: [], data_offsets: [0] } }, bytes8), "has the offsets [0]"],
    ["no description", fileOf({ x: 3 }, bytes8), 'does not describe tensor "x"'],
    ["size", one("F32", [3], bytes8), 'tensor "x" (F32[3]) needs 12 bytes but its offsets [0, 8] hold 8'],
    ["overlap", fileOf({ x: f32(0, 8), y: f32(4, 8) }, bytes8), 'tensors "x" and "y" overlap at byte 4'],
    ["gap", fileOf({ y: f32(4, 8) }, bytes8), '4 bytes before tensor "y" belong to no tensor'],
    ["out of range", fileOf({ y: f32(0, 16) }, bytes8), /is cut short: expected \d+ bytes, found \d+/],
    ["metadata", fileOf({ __metadata__: { step: 3 } }, new Uint8Array(0)), 'metadata "step" is not a string'],
  ];
  test.each(cases)("%s", (_, broken, message) => {
    const read = () => readSafetensors(broken, "f");
    expect(read).toThrow(FinegrainError);
    expect(read).toThrow(message);
  });
});

test("a tensor of another type than promised is not written", async () => {
  const chunks = safetensorsChunks(new Map([["x", { dtype: "float32", shape: [2] }]]), () =>
    hostTensor("float32", [3], [1, 2, 3]),
  );
  await chunks.next();
  await expect(chunks.next()).rejects.toThrow('tensor "x" was to be written as float32[2], but is float32[3]');
});
