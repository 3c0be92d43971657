#!/usr/bin/env node
import { fileURLToPath } from "node:url";
import { type Backend, FinegrainError, referenceBackend } from "@finegrain/graph";
import { golden } from "./command.ts";

/*
 * npm run golden -- [FOLDER] [--backend NAME]
 * A tool of the tests, which may name backends as an app does. Each is loaded when it is asked for.
 */

/** The one thing that every backend's package exports: `@finegrain/backend-onnx` has `onnxBackend()`. */
type BackendModule = Readonly<Record<string, (() => Backend | Promise<Backend>) | undefined>>;

/** @throws FinegrainError where there is no package of that backend. */
async function openBackend(name: string): Promise<Backend> {
  if (name === "reference") return referenceBackend();
  let module: BackendModule;
  try {
    module = (await import(`@finegrain/backend-${name}`)) as BackendModule; // whatever it exports is looked at below
  } catch (error) {
    throw new FinegrainError(`backend "${name}" cannot be loaded: ${(error as Error).message.split("\n")[0]}`);
  }
  const open = module[`${name}Backend`];
  if (open === undefined) throw new FinegrainError(`@finegrain/backend-${name} has no ${name}Backend`);
  return await open();
}

try {
  process.exitCode = await golden(process.argv.slice(2), {
    folder: fileURLToPath(new URL("../../golden", import.meta.url)),
    openBackend,
    print: (line) => console.log(line),
  });
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
