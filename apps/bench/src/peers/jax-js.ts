import { createRequire } from "node:module";
import { cpus } from "node:os";
import { size } from "@finegrain/graph";
import type { SizedConfig } from "@finegrain/nn";
import type { numpy } from "@jax-js/jax";
import { repeatedNoise } from "../cases/random-weights.ts";
import { type MatrixProduct, flops as productFlops } from "../limits/matrix-products.ts";
import { runsOfRound } from "../measure/method.ts";
import { isDense } from "./dense-model.ts";
import type { ModelTask, OpTask, Peer, PeerModel, PeerPlace, PeerVariant } from "./peer.ts";

type Jax = typeof import("@jax-js/jax");
type Values = numpy.Array;

/**
 * jax-js in this process: on its WebGPU device where our backend is on one, else on its WebAssembly device, which is one thread
 * in Node, since threads of its own are Web Workers, which Node has not. Functions are compiled by its `jit`.
 *
 * Matrix products, and the dense feed-forward layer forwards and backwards, by its `valueAndGrad`.
 */
export const jaxJs: Peer = {
  name: "jax-js",
  scope: "float32 on WebGPU or in one thread of WebAssembly: trains the dense layer; matrix products",
  async open(place) {
    let jax: Jax;
    try {
      jax = await import("@jax-js/jax");
    } catch (error) {
      // A package that lacks one of its own says so itself.
      if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error; // import rejects with an Error
      return { reason: "not installed (npm install @jax-js/jax)" };
    }
    const kind = place.kind === "webgpu" ? "webgpu" : "wasm";
    const there = kind === "webgpu" ? await withGpu(() => jax.init(kind)) : await jax.init(kind);
    if (!there.includes(kind)) return { reason: "not there: it opened no WebGPU adapter" };
    jax.defaultDevice(kind);
    return {
      name: `jax-js:${kind}`,
      device: { kind, provider: `jax-js ${version()}`, ...(kind === "webgpu" ? adapterOf(place) : processor()) },
      prepareModel: (task) => prepareLayer(jax, task),
      prepareOp: (task) => prepareOp(jax, task),
      async [Symbol.asyncDispose]() {},
    };
  },
};

const processor = () => ({ description: cpus()[0]?.model.trim() ?? "cpu", threads: 1 });

const adapterOf = ({ description = "webgpu", software }: PeerPlace) => ({
  description,
  ...(software !== undefined && { software }),
});

/** For as long as the process, which Dawn ends where a GPU that is still in use is collected. */
let dawn: object | undefined;

/** `open` with Dawn's `navigator.gpu`, which Node has not; `navigator.userAgent`, which Node 20 has not either, stays. */
async function withGpu<T>(open: () => Promise<T>): Promise<T> {
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  dawn ??= create([]);
  const scope = globalThis as { navigator?: { gpu?: object } }; // which Node's types lack
  if (!scope.navigator) Object.defineProperty(scope, "navigator", { value: { userAgent: "Node.js" } });
  Object.defineProperty(scope.navigator, "gpu", { value: dawn, configurable: true });
  try {
    return await open();
  } finally {
    Reflect.deleteProperty(scope.navigator!, "gpu"); // our own backend would take it for a browser's
  }
}

/** The package exports nothing that tells. */
function version(): string {
  const main = createRequire(import.meta.url).resolve("@jax-js/jax");
  return createRequire(main)("../package.json").version;
}

const values = ({ numpy: np }: Jax, shape: number[], seed: number): Values =>
  np.array(new Float32Array(repeatedNoise(shape, 0.1, seed).data)).reshape(shape);

const seconds = async (work: () => Promise<void>): Promise<number> => {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
};

/** A product [rows, depth] x [depth, columns] that can be run. Its operands are kept: jax-js consumes references. */
function product(jax: Jax, rows: number, depth: number, columns: number) {
  const operands = [values(jax, [rows, depth], 1), values(jax, [depth, columns], 2)] as const;
  const [x, y] = operands;
  const multiply = jax.jit(jax.numpy.matmul);
  return {
    async run(times: number) {
      for (let k = 0; k < times; k++) (await multiply(x.ref, y.ref).blockUntilReady()).dispose();
    },
    dispose() {
      for (const operand of operands) operand.dispose();
      multiply.dispose();
    },
  };
}

async function prepareOp(jax: Jax, { op, shape }: OpTask): Promise<PeerVariant | undefined> {
  if (op !== "matrix product" && op !== "matrix-vector product") return undefined;
  const { rows = 1, depth, columns } = shape;
  const { run, dispose } = product(jax, rows, depth!, columns!); // our own has been made of them
  await run(1); // compiles
  const runs = runsOfRound(await seconds(() => run(1)));
  return {
    round: async () => (await seconds(() => run(runs))) / runs,
    async [Symbol.asyncDispose]() {
      dispose();
    },
  };
}

const has = ({ phase, config, storage }: ModelTask): boolean =>
  phase === "layer" && storage === "float32" && isDense(config) && (config.activation ?? "relu") === "relu";

/** The products of a pass forwards and backwards: y, and of both matrices the gradient and what it hands on. */
const layerProducts = ({ dModel, dFf }: SizedConfig, tokens: number): MatrixProduct[] => [
  { batch: 1, m: tokens, k: dModel, n: dFf },
  { batch: 1, m: tokens, k: dFf, n: dModel },
  { batch: 1, m: tokens, k: dModel, n: dFf },
  { batch: 1, m: dFf, k: tokens, n: dModel },
  { batch: 1, m: tokens, k: dFf, n: dModel },
  { batch: 1, m: dModel, k: tokens, n: dFf },
];

async function prepareLayer(jax: Jax, task: ModelTask): Promise<PeerModel | undefined> {
  if (!has(task)) return undefined;
  const { numpy: np, nn } = jax;
  const { dModel, dFf } = task.config;
  const { batch, length, units } = task.measure;
  const tokens = batch * length;
  const weights = [[dModel, dFf], [dFf], [dFf, dModel], [dModel]];
  const operands = [...weights, [tokens, dModel], [tokens, dModel]].map((shape, seed) => values(jax, shape, seed));
  const loss = (w1: Values, b1: Values, w2: Values, b2: Values, x: Values, cotangent: Values): Values => {
    const hidden = nn.relu(np.matmul(x, w1).add(b1));
    return np.sum(np.matmul(hidden, w2).add(b2).mul(cotangent));
  };
  const pass = jax.jit(jax.valueAndGrad(loss, { argnums: [0, 1, 2, 3, 4] }));
  const once = async () => {
    const [w1, b1, w2, b2, x, cotangent] = operands.map((operand) => operand.ref) as SixValues;
    const [value, gradients] = await jax.blockUntilReady(pass(w1, b1, w2, b2, x, cotangent));
    for (const result of [value, ...gradients]) result.dispose();
  };
  await once(); // compiles
  const shapes = layerProducts(task.config, tokens);
  const products = shapes.map(({ m, k, n }) => product(jax, m, k, n));
  const repeated = async (work: () => Promise<void>) => {
    for (let unit = 0; unit < units; unit++) await work();
  };
  return {
    parameters: weights.reduce((sum, shape) => sum + size(shape), 0),
    bytesPerToken: null,
    round: async () => (await seconds(() => repeated(once))) / units,
    products: {
      flops: shapes.reduce((sum, shape) => sum + productFlops(shape), 0),
      round: () =>
        seconds(async () => {
          for (const { run } of products) await run(1);
        }),
    },
    async [Symbol.asyncDispose]() {
      for (const operand of operands) operand.dispose();
      for (const { dispose } of products) dispose();
      pass.dispose();
    },
  };
}

/** Operands of the loss, as many as it has. */
type SixValues = [Values, Values, Values, Values, Values, Values];
