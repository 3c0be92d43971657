import { type AnyOp, type Backend, catalog, type OpName } from "@finegrain/graph";
import { describe, it } from "vitest";
import { forDrawnCalls, forwardTest, gradientTest, type OpTest } from "./op-call.ts";
import { expectAgreement, missingOp } from "./run-graph.ts";

/** Every op, on every case that it declares and on drawn shapes, forwards and backwards, against the reference. */
export function describeOps(backend: () => Backend, tolerance: number, drawn: number): void {
  const agrees = async (test: OpTest | undefined, skip: (why: string) => void): Promise<void> => {
    if (test === undefined) return;
    const missing = missingOp(backend(), test.graph);
    if (missing) skip(`${backend().name} declares ${missing.op} unsupported`);
    else await expectAgreement(backend(), test.graph, test.values, tolerance);
  };
  describe.each(Object.keys(catalog) as OpName[])("%s", (name) => {
    const op: AnyOp = catalog[name];
    for (const call of op.cases) {
      const forward = forwardTest(op, call);
      it(`value ${forward.title}`, async ({ skip }) => agrees(forward, skip));
      const backward = gradientTest(op, call);
      if (backward) it(`gradient ${forward.title}`, async ({ skip }) => agrees(backward, skip));
    }
    it("drawn shapes", async ({ skip }) =>
      forDrawnCalls(op, drawn, async (call) => {
        await agrees(forwardTest(op, call), skip);
        await agrees(gradientTest(op, call), skip);
      }));
  });
}
