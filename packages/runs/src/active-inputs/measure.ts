import {
  abs,
  type Backend,
  type Buffer,
  disposeTree,
  exp,
  gather,
  graph,
  hostTensor,
  input,
  logSoftmax,
  mean,
  mul,
  reduceSum,
  reshape,
  slice,
  sub,
  type Tensor,
} from "@finegrain/graph";
import {
  activeInputs,
  evaluation,
  type FilterOf,
  filteredLM,
  MATRIX_INPUTS,
  type ModelConfig,
  traceWeights,
} from "@finegrain/nn";

/** Windows of text, side by side, on a device: tokens, where the log probabilities of those after them are, and all of the whole model's. */
interface Windows {
  readonly tokens: Buffer;
  readonly targets: Buffer;
  readonly reference: Buffer;
}

/** What a model loses, by token in nats: of the next token's, and as the divergence of all its probabilities from the whole model's. */
export interface Judgement {
  readonly nats: number;
  readonly divergence: number;
}

/** Measures a model whose inputs count from some magnitudes on, which are given anew each time. */
export interface InputMeasure extends Disposable {
  /** Magnitudes of all values of each input, by block and then as in `MATRIX_INPUTS`, in order, of the first windows. */
  magnitudes(): Promise<Float32Array[]>;
  /** @param part 0 for the windows whose magnitudes are given, 1 for others. */
  judge(least: readonly number[], part: 0 | 1): Promise<Judgement>;
}

export interface InputMeasureOptions {
  readonly backend: Backend;
  readonly config: ModelConfig;
  /** On the backend, float32. */
  readonly weights: ReadonlyMap<string, Buffer>;
  /** Two parts of text, each of `windows` windows of `length` tokens and the next. */
  readonly parts: readonly [Int32Array, Int32Array];
  readonly windows: number;
  readonly length: number;
}

/** @throws what the backend does, where memory is short. */
export async function createInputMeasure(options: InputMeasureOptions): Promise<InputMeasure> {
  const { backend, config, windows, length, parts } = options;
  const stored = Object.fromEntries(options.weights);
  const [whole, judge] = [await backend.compile(wholeGraph(options)), await backend.compile(judgeGraph(options))];
  const [shape, next] = [[windows, length], length + 1];
  const inputs: Buffer[] = [];
  const open = async (part: Int32Array): Promise<Windows> => {
    const at = (i: number) => Math.floor(i / length) * next + (i % length);
    const tokens = Int32Array.from({ length: windows * length }, (_, i) => part[at(i)]!);
    const targets = Int32Array.from(tokens, (_, i) => i * config.vocabulary + part[at(i) + 1]!);
    const own = {
      tokens: backend.upload(hostTensor("int32", shape, tokens)),
      targets: backend.upload(hostTensor("int32", shape, targets)),
    };
    const { reference, magnitudes } = await whole.run({ stored, tokens: own.tokens });
    if (inputs.length === 0) inputs.push(...magnitudes);
    else disposeTree(magnitudes);
    return { ...own, reference };
  };
  const opened = [await open(parts[0]), await open(parts[1])] as const;
  return {
    async magnitudes() {
      const all: Float32Array[] = [];
      for (const buffer of inputs) all.push(Float32Array.from((await buffer.read()).data).sort());
      return all;
    },
    async judge(least, part) {
      const given = backend.upload(hostTensor("float32", [least.length], Float32Array.from(least)));
      const found = await judge.run({ stored, ...opened[part], least: given });
      try {
        const [divergence, likely] = await Promise.all([found.divergence.read(), found.likely.read()]);
        return { divergence: divergence.data[0]!, nats: -likely.data[0]! };
      } finally {
        disposeTree([given, found]);
      }
    },
    [Symbol.dispose]() {
      disposeTree([...inputs, ...opened.map((one) => Object.values(one))]);
      for (const executable of [whole, judge]) executable[Symbol.dispose]();
    },
  };
}

const placeOf = (block: number, name: (typeof MATRIX_INPUTS)[number]): number =>
  block * MATRIX_INPUTS.length + MATRIX_INPUTS.indexOf(name);

/** Log probabilities of a model with filters. */
function logProbabilities({ config, windows, length }: InputMeasureOptions, filterOf: FilterOf) {
  const model = filteredLM(config, undefined, filterOf);
  const { weights, stored } = traceWeights(model.params, "float32");
  const tokens = input([windows, length], "int32", "tokens");
  return { stored, tokens, found: logSoftmax(model.logits(weights, tokens, evaluation)) };
}

function wholeGraph(options: InputMeasureOptions) {
  const magnitudes: Tensor[] = [];
  const { stored, tokens, found } = logProbabilities(options, (block, name) => (x) => {
    magnitudes[placeOf(block, name)] ??= abs(x);
    return x;
  });
  return graph({ name: "inputs", inputs: { stored, tokens }, outputs: { reference: found, magnitudes } });
}

function judgeGraph(options: InputMeasureOptions) {
  const { config, windows, length } = options;
  const least = input([config.layers * MATRIX_INPUTS.length], "float32", "least");
  const { stored, tokens, found } = logProbabilities(options, (block, name) => {
    const at = placeOf(block, name);
    return activeInputs(reshape(slice(least, { starts: [at], ends: [at + 1] }), []));
  });
  const reference = input(found.shape, "float32", "reference");
  const targets = input([windows, length], "int32", "targets");
  const divergence = mean(reduceSum(mul(exp(reference), sub(reference, found)), { axes: [2] }), { axes: [0, 1] });
  const likely = mean(gather(reshape(found, [windows * length * config.vocabulary]), targets), { axes: [0, 1] });
  const inputs = { stored, tokens, targets, reference, least };
  return graph({ name: "active inputs", inputs, outputs: { divergence, likely } });
}
