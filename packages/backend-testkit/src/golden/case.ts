import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { FinegrainError, type HostTensor } from "@finegrain/graph";
import { readSafetensors } from "@finegrain/nn";

/** What a case file holds: what the original code was given, and what it made of it. */
export interface GoldenCase {
  /** The file's name without its ending. */
  readonly name: string;
  readonly tensors: ReadonlyMap<string, HostTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** @throws FinegrainError where the file is no safetensors file. */
export function readCase(path: string): GoldenCase {
  const { tensors, metadata } = readSafetensors(readFileSync(path), path);
  return { name: basename(path, ".safetensors"), tensors, metadata };
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
