// @module-tag webgpu
import { expectAgreement, randomValue } from "@finegrain/backend-testkit";
import {
  type Backend,
  einsum,
  exp,
  FinegrainError,
  graph,
  hostTensor,
  input,
  reduceSum,
  softmax,
} from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import { webgpuBackend } from "../src/index.ts";
import { altered, alteredGpu } from "./altered-gpu.ts";

process.env.GALLIVM_PERF ??= "nopt"; // as in conformance.test.ts

const x = input([4, 6], "float32", "x");
const step = graph({ name: "step", inputs: [x], outputs: [exp(x)] });
const value = randomValue(x, 1);

/** One sentence of ours. */
async function expectRefusal(act: () => Promise<unknown>, says: RegExp): Promise<void> {
  const error: unknown = await act().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof FinegrainError)) throw error ?? new Error("nothing was refused");
  expect(error.message).toMatch(says);
  expect(error.message).not.toContain("\n");
}

const works = (backend: Backend) => expectAgreement(backend, step, [value], 2e-5);

async function worksAnew(): Promise<void> {
  await using backend = await webgpuBackend();
  await works(backend);
}

describe("a shader that does not compile", () => {
  test("is named by its op, and others still run", async () => {
    let broken = true;
    const gpu = await alteredGpu((device) => ({
      createShaderModule: (descriptor) =>
        device.createShaderModule(
          broken ? { ...descriptor, code: descriptor.code.replace("fn main(", "fn main(oops ") } : descriptor,
        ),
    }));
    await using backend = await webgpuBackend({ gpu });
    await expectRefusal(
      () => backend.compile(step),
      /^the shader of exp does not compile on webgpu:.+: expected ':' for parameter in "fn main\(.*"$/,
    );
    broken = false;
    const y = input([6, 3]);
    const other = graph({ name: "other", inputs: [x, y], outputs: [einsum(x, y, "A B, B C -> A C")] });
    await expectAgreement(backend, other, [value, randomValue(y, 2)], 2e-5);
    await worksAnew();
  });
});

describe("a device that is lost", () => {
  const LOST = /^webgpu:.+ was lost \(the driver was reset\): open the backend again$/;

  /** A backend, and what takes its device away as a driver does. */
  async function losing(): Promise<{ backend: Backend; lose: () => void }> {
    let lose = (): void => {};
    const gpu = await alteredGpu((device) => ({
      lost: new Promise((resolve) => {
        lose = () => {
          device.destroy();
          resolve({ __brand: "GPUDeviceLostInfo", reason: "unknown", message: "the driver was reset\nhere" });
        };
      }),
    }));
    const backend = await webgpuBackend({ gpu });
    return { backend, lose: () => lose() };
  }

  test("says so at every read, run, upload and compilation, and another one can be opened", async () => {
    const { backend, lose } = await losing();
    const executable = await backend.compile(step);
    const given = backend.upload(value);
    const [made] = executable.run([given]);
    const early = made!.read();
    lose();
    const [late] = executable.run([given]);
    await expectRefusal(() => early, LOST);
    await expectRefusal(() => late!.read(), LOST);
    await expectRefusal(() => given.read(), LOST);
    await expectRefusal(async () => backend.upload(value), LOST);
    await expectRefusal(() => executable.run([given])[0]!.read(), LOST);
    await expectRefusal(() => backend.compile(step), LOST);
    await worksAnew();
    for (const each of [made!, late!, given, executable]) each[Symbol.dispose]();
    await backend[Symbol.asyncDispose]();
  });

  test("fails a compilation under way", async () => {
    const { backend, lose } = await losing();
    const compiling = backend.compile(step);
    lose();
    await expectRefusal(() => compiling, LOST);
    await backend[Symbol.asyncDispose]();
    await worksAnew();
  });

  test("was closed where its backend was", async () => {
    const backend = await webgpuBackend();
    const given = backend.upload(value);
    await backend[Symbol.asyncDispose]();
    await expectRefusal(() => given.read(), /^webgpu:.+ was closed: open the backend again$/);
  });
});

describe("no memory left", () => {
  const LARGE = 2 ** 16;

  /**
   * A device on which the driver itself has no memory for buffers of LARGE bytes and more, while `full` says so: they are
   * asked for in the largest size that is allowed, for which drivers in software never have the memory.
   */
  async function small(): Promise<{ backend: Backend; full: { now: boolean } }> {
    const full = { now: true };
    const gpu = await alteredGpu((device) => ({
      createBuffer: (descriptor) =>
        device.createBuffer(
          full.now && descriptor.size >= LARGE ? { ...descriptor, size: device.limits.maxBufferSize } : descriptor,
        ),
    }));
    return { backend: await webgpuBackend({ gpu }), full };
  }

  const large = input([256, 256], "float32", "large");
  const vector = input([256], "float32", "vector");
  const [bigValue, vectorValue] = [randomValue(large, 3), randomValue(vector, 4)];

  test("for what is uploaded: its type is named when it or what is made of it is read, and all else goes on", async () => {
    const { backend, full } = await small();
    const program = graph({ name: "sums", inputs: [large], outputs: [reduceSum(large, { axes: [0] })] });
    using executable = await backend.compile(program);
    const says = /^the device has no 262144 bytes left for float32\[256,256\]$/;
    const given = backend.upload(bigValue);
    const [sums] = executable.run([given]);
    await expectRefusal(() => given.read(), says);
    await expectRefusal(() => sums!.read(), says);
    given[Symbol.dispose]();
    await works(backend);
    full.now = false;
    await expectAgreement(backend, program, [bigValue], 2e-5);
    await backend[Symbol.asyncDispose]();
    await worksAnew();
  });

  test("for an output: it is named when it is read", async () => {
    const { backend } = await small();
    const outer = einsum(vector, vector, "A, B -> A B");
    using executable = await backend.compile(graph({ name: "outer", inputs: [vector], outputs: [outer, exp(vector)] }));
    const [made] = executable.run([backend.upload(vectorValue)]);
    await expectRefusal(() => made!.read(), /^the device has no 262144 bytes left for output 0 of graph "outer"$/);
    await works(backend);
    await backend[Symbol.asyncDispose]();
  });

  test("for temporaries: the graph is named when it is compiled", async () => {
    const { backend } = await small();
    const made = softmax(einsum(vector, vector, "A, B -> A B"));
    const program = graph({ name: "between", inputs: [vector], outputs: [einsum(made, made, "A B, B C -> A")] });
    const says = /^the device has no \d+ bytes left for the temporaries of graph "between"$/;
    await expectRefusal(() => backend.compile(program), says);
    await works(backend);
    await backend[Symbol.asyncDispose]();
  });

  test("for what is read: the read says so, and the tensor is still there", async () => {
    const { backend, full } = await small();
    full.now = false;
    const given = backend.upload(bigValue);
    full.now = true;
    await expectRefusal(() => given.read(), /^the device has no 262144 bytes left for a tensor that is read$/);
    full.now = false;
    expect((await given.read()).data).toEqual(bigValue.data);
    await backend[Symbol.asyncDispose]();
  });

  test("in a buffer: a tensor that is larger than any is refused by its type", async () => {
    const gpu = await alteredGpu(
      () => ({}),
      ({ limits }) => ({ limits: altered(limits, { maxBufferSize: 2 ** 28 }) }), // what every device has
    );
    await using backend = await webgpuBackend({ gpu });
    const never = hostTensor("float32", [2 ** 26 + 4], new Float32Array(2 ** 26 + 4));
    const says = /^float32\[67108868\] takes 256.0 MiB, and a buffer of this device holds 256.0 MiB at most$/;
    await expectRefusal(async () => backend.upload(never), says);
    await works(backend);
  });
});
