import type { Backend } from "@finegrain/graph";
import { afterAll, beforeAll, describe } from "vitest";
import { describeDecode, describeSources } from "./describe-decode.ts";
import { describeGolden } from "./describe-golden.ts";
import { describeMemory } from "./describe-memory.ts";
import { describeOps } from "./describe-ops.ts";
import { describeSampling } from "./describe-sampling.ts";
import { describeStorage } from "./describe-storage.ts";
import { describeTraining } from "./describe-training.ts";

export interface ConformanceOptions {
  /** Of float32 results, relative to |expected| + rms(expected). */
  readonly tolerance?: number;
  /** Calls of drawn shapes for every op. */
  readonly drawn?: number;
  /** Whether the backend keeps inputs in float16 and int8. Default false. */
  readonly storage?: boolean;
  /** The folder of golden cases, `packages/backend-testkit/golden` of finegrain's repository. Default there: that one. In Node. */
  readonly golden?: string;
  /** Run every so many-th of the golden cases, where a device takes seconds to compile one or another of the same kernels runs all. Default 1. */
  readonly goldenStep?: number;
  /** Run every so many-th of the models that decode and are trained, where another device of the same kernels runs all. Default 1. */
  readonly modelStep?: number;
}

/**
 * The conformance suite: a backend is accepted when it passes. A backend that does not open fails; what it declares
 * unsupported is skipped by name.
 */
export function describeBackend(
  name: string,
  open: () => Promise<Backend>,
  { tolerance = 2e-5, drawn = 20, storage = false, golden, goldenStep, modelStep = 1 }: ConformanceOptions = {},
): void {
  describe(`${name} conforms`, () => {
    let backend: Backend;
    beforeAll(async () => {
      backend = await open();
    });
    afterAll(async () => backend?.[Symbol.asyncDispose]());
    describeOps(() => backend, tolerance, drawn);
    describeDecode(() => backend, 10 * tolerance, modelStep);
    describeSources(() => backend, 10 * tolerance, modelStep);
    describeSampling(() => backend);
    describeTraining(() => backend, modelStep);
    describeGolden(() => backend, golden, goldenStep);
    describeMemory(() => backend);
    if (storage) describeStorage(() => backend, 10 * tolerance);
  });
}
