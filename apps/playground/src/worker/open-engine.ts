import { openBackend } from "@finegrain/backends";
import type { Backend } from "@finegrain/graph";
import type { Engine } from "../protocol.ts";

/** @throws FinegrainError the sentence of a backend that is not there. */
export const openEngine = ({ name, threads }: Engine): Promise<Backend> =>
  openBackend(name === "wasm" ? { name, ...(threads !== undefined && { threads }) } : { name });
