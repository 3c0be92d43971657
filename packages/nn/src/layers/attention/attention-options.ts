import { expectDivisible } from "../../config-error.ts";
import type { Place } from "../../definition/layer-definition.ts";
import { whole } from "../../definition/option.ts";

/*
 * Options that several attention layers have.
 */

/** S: modules that the features are cut into. */
export const modules = whole({
  doc: "modules that the features are cut into",
  suggest: ({ heads }) => heads,
  flag: "qkv-sparsity",
});

/** Modules that an output of a small projection reads. */
export const moduleKernel = whole({
  odd: true,
  doc: "neighbouring modules that an output reads, around its own",
  default: 1,
  flag: "kernel",
});

/** @throws FinegrainError where the features cannot be cut into so many modules. */
export const expectModules = ({ dModel, modules }: { dModel: number; modules: number }, at: Place): void =>
  void expectDivisible(at.owner, "dModel", dModel, at.option("modules"), modules);
