import { describeProducts } from "@finegrain/backend-testkit";
import { afterAll, describe } from "vitest";
import { detectFeatures } from "../src/features.ts";
import { wasmBackend } from "../src/index.ts";

const wide = detectFeatures().memory64 ? [{ threads: 1, memory64: true }] : [];
const backends = await Promise.all(
  [{ threads: 1 }, { threads: 2 }, ...wide].map(async (options) => [options, await wasmBackend(options)] as const),
);
afterAll(() => Promise.all(backends.map(([, backend]) => backend[Symbol.asyncDispose]())));

describe.each(backends)("with %j", (_, backend) => describeProducts(() => backend));
