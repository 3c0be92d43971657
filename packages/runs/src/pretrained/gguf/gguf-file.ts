import { FinegrainError, hostTensor, size } from "@finegrain/graph";
import { readRange, withFile } from "../../folder/file-range.ts";
import type { TensorSource } from "../tensor-source.ts";
import { type BlockFormat, blockFormats, decodeBlocks, int4Rows, isInt4, otherFormats } from "./blocks.ts";
import { type GgufHeader, type GgufTensor, HeaderGoesOn, LONGEST_HEADER, readGgufHeader } from "./header.ts";

/** Bytes that are read first: most heads are shorter. */
const FIRST = 2 ** 23;

export interface GgufFile extends TensorSource {
  readonly metadata: GgufHeader["metadata"];
}

/**
 * Open a GGUF file: its head is read and checked, the tensors are read when they are asked for.
 * @throws FinegrainError where the file is missing, cut short or broken, of a version that is not known, or has a tensor of a format that
 *   cannot be read.
 */
export async function openGguf(path: string): Promise<GgufFile> {
  const { header, length } = await withFile(path, async (file) => {
    const { size: length } = await file.stat();
    for (let read = FIRST; ; read *= 4) {
      const bytes = await readRange(file, 0, Math.min(read, length), path);
      try {
        return { header: readGgufHeader(bytes, path), length };
      } catch (error) {
        if (!(error instanceof HeaderGoesOn)) throw error;
        if (bytes.length === length || read > LONGEST_HEADER)
          throw new FinegrainError(`${path} is cut short: its ${length} bytes end within the head of the file`);
      }
    }
  });
  const { metadata, tensors } = header;
  const stored = new Map([...tensors].map(([name, tensor]) => [name, { tensor, format: formatOf(tensor, path) }]));
  for (const { tensor, format } of stored.values()) {
    const end = tensor.begin + bytesOf(tensor, format);
    if (end > length)
      throw new FinegrainError(`${path} is cut short: its tensor "${tensor.name}" ends at byte ${end} of ${length}`);
  }
  const bytesIn = (tensor: GgufTensor, format: BlockFormat) =>
    withFile(path, (file) => readRange(file, tensor.begin, tensor.begin + bytesOf(tensor, format), path));
  return {
    path,
    metadata,
    types: new Map([...tensors].map(([name, { shape }]) => [name, { dtype: "float32", shape }])),
    async read(name) {
      const { tensor, format } = stored.get(name)!; // one of `types`
      return hostTensor("float32", tensor.shape, decodeBlocks(await bytesIn(tensor, format), format));
    },
    async readInt4(name) {
      const { tensor, format } = stored.get(name)!; // one of `types`
      return isInt4(format) ? int4Rows(await bytesIn(tensor, format), format) : undefined;
    },
  };
}

const bytesOf = ({ shape }: GgufTensor, { count, bytes }: BlockFormat): number => (size(shape) / count) * bytes;

function formatOf({ name, type, shape }: GgufTensor, path: string): BlockFormat {
  const format = blockFormats.get(type);
  if (format === undefined) {
    const known = [...blockFormats.values()].map((one) => one.name).join(", ");
    throw new FinegrainError(
      `${path}: tensor "${name}" is stored as ${otherFormats.get(type) ?? `type ${type}`}, which cannot be read: only ${known} can`,
    );
  }
  if ((shape.at(-1) ?? 1) % format.count !== 0)
    throw new FinegrainError(
      `${path} is a broken GGUF file: rows of tensor "${name}" [${shape}] are no whole blocks of ${format.name}`,
    );
  return format;
}
