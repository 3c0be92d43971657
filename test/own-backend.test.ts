import { describeOps } from "@finegrain/backend-testkit";
import { describe } from "vitest";
import { ownBackend } from "../examples/own-backend.ts";

describe("the backend of examples/own-backend.ts", () => {
  const backend = ownBackend();
  describeOps(() => backend, 2e-5, 3);
});
