import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { byteLevelJson } from "@finegrain/generate";
import {
  cast,
  evaluate,
  fromInt4,
  graph,
  type HostTensor,
  input,
  referenceBackend,
  toFloat16,
  transpose,
} from "@finegrain/graph";
import { type DistantWeight, leaves, loadWeights, type ModelConfig, type Param, scalingLM } from "@finegrain/nn";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GgufFormat, ggufChunks, metadataOfModel, openPretrained } from "../../src/index.ts";
import { metadataOfTokenizer } from "../../src/pretrained/gguf/metadata-of-tokenizer.ts";

const model: ModelConfig = {
  ...{ vocabulary: 800, dModel: 96, dFf: 1024, layers: 1, heads: 3, maxLength: 16 },
  positions: "rotary",
  norm: "rms",
  feedForward: { type: "dense", activation: "swiglu", bias: false },
  attention: { type: "dense", headWidth: 256, bias: "none" },
  loss: { type: "tied" },
};
const [queries, { dModel, dFf = 0, vocabulary }] = [3 * 256, model];
const TENSORS: readonly [string, readonly number[]][] = [
  ["token_embd.weight", [vocabulary, dModel]],
  ["blk.0.attn_norm.weight", [dModel]],
  ["blk.0.attn_q.weight", [queries, dModel]],
  ["blk.0.attn_k.weight", [queries, dModel]],
  ["blk.0.attn_v.weight", [queries, dModel]],
  ["blk.0.attn_output.weight", [dModel, queries]],
  ["blk.0.ffn_norm.weight", [dModel]],
  ["blk.0.ffn_gate.weight", [dFf, dModel]],
  ["blk.0.ffn_up.weight", [dFf, dModel]],
  ["blk.0.ffn_down.weight", [dModel, dFf]],
  ["output_norm.weight", [dModel]],
];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "finegrain-int4-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Bytes of a tensor: blocks whose numbers of 4 bits are all different, with scales and minima that are too. */
function blocks(count: number, format: GgufFormat): Uint8Array {
  if (format === "F32") return new Uint8Array(Float32Array.from({ length: count }, (_, i) => Math.cos(i)).buffer);
  const head = format === "Q4_1" ? 4 : 2;
  const bytes = new Uint8Array((count / 32) * (head + 16));
  for (let block = 0, at = 0; at < bytes.length; block++, at += head + 16) {
    const [scale, min] = [toFloat16(0.01 * Math.sin(block)), toFloat16(0.1 * Math.cos(block))];
    bytes.set([scale & 255, scale >> 8, ...(head === 4 ? [min & 255, min >> 8] : [])], at);
    for (let k = 0; k < 16; k++) bytes[at + head + k] = (block * 7 + k * 37) & 255;
  }
  return bytes;
}

async function write(format: GgufFormat): Promise<string> {
  const path = join(folder, `${format}.gguf`);
  const tokenizer = metadataOfTokenizer(byteLevelJson(), vocabulary, {}, undefined);
  const metadata = new Map([...metadataOfModel(model, "llama"), ...tokenizer]);
  const tensors = new Map(
    TENSORS.map(([name, shape]) => {
      const own = shape.length > 1 ? format : "F32";
      return [
        name,
        {
          shape,
          format: own,
          pieces: () => [
            blocks(
              shape.reduce((a, b) => a * b),
              own,
            ),
          ],
        },
      ];
    }),
  );
  const chunks: Uint8Array[] = [];
  for await (const chunk of ggufChunks({ metadata, tensors })) chunks.push(chunk);
  await writeFile(path, Buffer.concat(chunks));
  return path;
}

describe.each(["Q4_0", "Q4_1"] as const)("a GGUF file of %s", (format) => {
  test("is kept in int4 as it is, number by number", async () => {
    const { tensors, model: opened } = await openPretrained(await write(format));
    const large = leaves<Param>(scalingLM(opened).params).filter(([, { shape }]) => shape.length > 1);
    expect(large.map(([path]) => path)).toHaveLength(8);
    for (const [path, { rows }] of large) {
      const tensor = tensors.get(path)!;
      const parts = (await tensor.readStored!("int4"))!;
      const names = ["", ".scale", ".min"];
      const [words, scale, min] = names.map((end) => input(parts[end]!.shape, parts[end]!.dtype, end || "words"));
      const restored = fromInt4(words!, cast(scale!, "float32"), cast(min!, "float32"));
      const asOurs = rows === "inputs" ? transpose(restored, [1, 0]) : restored;
      const program = graph({ name: "restore", inputs: [words!, scale!, min!], outputs: [asOurs] });
      const [found] = evaluate(
        program,
        names.map((end) => parts[end]!),
      );
      const { data } = await tensor.read();
      expect(found!.data.length, path).toBe(data.length);
      expect(
        found!.data.every((x: number, i: number) => x === data[i]),
        path,
      ).toBe(true);
    }
  });

  test("comes to a device part by part, as if all weights had been read", async () => {
    const { tensors, weights, model: opened } = await openPretrained(await write(format));
    const [backend, language] = [referenceBackend(), scalingLM(opened)];
    const [near, distant] = [await weights(), tensors];
    for (const storage of ["float32", "int8"] as const) {
      const [expected, found] = [
        await loadWeights(backend, language, near, storage),
        await loadWeights(backend, language, distant, storage),
      ];
      expect([...found.keys()]).toEqual([...expected.keys()]);
      for (const [path, buffer] of found) {
        const [own, other] = [await buffer.read(), await expected.get(path)!.read()];
        expect({ ...own, data: 0 }, path).toEqual({ ...other, data: 0 });
        expect(
          own.data.every((x, i) => x === other.data[i]),
          path,
        ).toBe(true);
      }
    }
    const read: string[] = [];
    const counted = new Map<string, DistantWeight>(
      [...tensors].map(([path, tensor]) => [
        path,
        {
          ...tensor,
          read() {
            read.push(path);
            return tensor.read();
          },
        },
      ]),
    );
    await loadWeights(backend, language, counted, "int4");
    expect(read.filter((path) => tensors.get(path)!.type.shape.length > 1)).toEqual([]);
  });
});

test("a weight that cannot be read is an error, and what was on the device is freed", async () => {
  const { tensors, model: opened } = await openPretrained(await write("Q4_0"));
  const freed: string[] = [];
  const reference = referenceBackend();
  const backend = {
    ...reference,
    upload: (value: HostTensor) => ({
      ...reference.upload(value),
      [Symbol.dispose]: () => freed.push(`${value.shape}`),
    }),
  };
  const paths = [...tensors.keys()];
  const broken = new Map(tensors);
  broken.set(paths[3]!, { ...tensors.get(paths[3]!)!, read: () => Promise.reject(new Error("the disk is gone")) });
  await expect(loadWeights(backend as never, scalingLM(opened), broken, "float32")).rejects.toThrow("the disk is gone"); // a backend in all that is used
  expect(freed).toHaveLength(3);
});
