import { FinegrainError, type HostTensor } from "@finegrain/graph";
import { readSafetensors } from "@finegrain/nn";

/** A case file, wherever it is read from. */
export interface CaseFile {
  /** The file's name without its ending. */
  readonly name: string;
  /** For messages. */
  readonly path: string;
  read(): Promise<Uint8Array>;
}

/** What a case file holds: what the original code was given, and what it made of it. */
export interface GoldenCase {
  /** The file's name without its ending. */
  readonly name: string;
  readonly tensors: ReadonlyMap<string, HostTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** @throws FinegrainError where the file is no safetensors file. */
export async function readCase({ name, path, read }: CaseFile): Promise<GoldenCase> {
  return { name, ...readSafetensors(await read(), path) };
}

/** A case asks for something that our layers do not have. The message says what. */
export class Unsupported extends FinegrainError {
  override readonly name = "Unsupported";
}

/** @throws FinegrainError where the case lacks the tensor. */
export function tensorOf({ tensors }: GoldenCase, name: string): HostTensor {
  const found = tensors.get(name);
  if (!found) throw new FinegrainError(`the file has no tensor "${name}"`);
  return found;
}
