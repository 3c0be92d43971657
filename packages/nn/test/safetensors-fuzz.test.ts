import { FinegrainError } from "@finegrain/graph";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readSafetensors } from "../src/safetensors/safetensors.ts";

const RUNS = 10_000;

/** A file with a header of any text and any bytes behind it. */
function fileOf(header: string, data: Uint8Array): Uint8Array {
  const json = new TextEncoder().encode(header);
  const file = new Uint8Array(8 + json.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  file.set(data, 8 + json.length);
  return file;
}

const dtype = fc.constantFrom("F32", "F16", "BF16", "I64", "U64", "I8", "BOOL", "U8", "C64", "F4", "X", "", null, 3);
const extent = fc.oneof(fc.nat(4), fc.constantFrom(-1, 0.5, 2 ** 53, null, "2"));
const entry = fc.oneof(
  fc.record(
    { dtype, shape: fc.array(extent, { maxLength: 3 }), data_offsets: fc.array(extent, { maxLength: 3 }) },
    { requiredKeys: [] },
  ),
  fc.jsonValue(),
);
const header = fc.oneof(
  fc.dictionary(fc.constantFrom("a", "b", "__metadata__", "__proto__"), entry).map((value) => JSON.stringify(value)),
  fc.json(),
  fc.string(),
);
const bytes = fc.uint8Array({ maxLength: 24 });
const file = fc.oneof(
  fc.tuple(header, bytes).map(([text, data]) => fileOf(text, data)),
  fc.uint8Array(),
);

test("any bytes are read as tensors, or refused in one sentence", async () => {
  await fc.assert(
    fc.asyncProperty(file, async (bytes) => {
      try {
        readSafetensors(bytes, "f");
      } catch (error) {
        expect(error).toBeInstanceOf(FinegrainError);
      }
    }),
    { numRuns: RUNS, interruptAfterTimeLimit: 20_000 },
  );
});
