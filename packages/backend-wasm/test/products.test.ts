import { describeProducts } from "@finegrain/backend-testkit";
import { afterAll, describe } from "vitest";
import { wasmBackend } from "../src/index.ts";

const backends = [1, 2].map((threads) => wasmBackend({ threads }));
afterAll(() => Promise.all(backends.map((backend) => backend[Symbol.asyncDispose]())));

describe.each(backends.map((backend) => [backend.device.threads, backend] as const))("on %d threads", (_, backend) =>
  describeProducts(() => backend),
);
