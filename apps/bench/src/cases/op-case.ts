import { type Backend, graph, hostTensor, input, reshape, size, slice } from "@finegrain/graph";
import type { Limits } from "../limits/limits.ts";
import { type Held, holding } from "../measure/holding.ts";
import { runsOfRound } from "../measure/method.ts";
import { repeat } from "../measure/repeat.ts";
import { interquartile, median } from "../measure/statistics.ts";
import type { OpFigures } from "../results/result.ts";
import type { OpVariant } from "../suites/suite.ts";
import { type OpKind, opProgram } from "./op-programs.ts";
import { repeatedNoise } from "./random-weights.ts";
import type { Prepared } from "./variant.ts";

/**
 * One operation, alone, over operands that are the same every time: where they fit into a cache, they are read from there.
 * A round runs it as often as fills a few hundredths of a second, and waits for the last.
 */
export const prepareOp = (backend: Backend, op: OpKind, variant: OpVariant): Promise<Prepared<OpFigures>> =>
  holding((held) => prepare(backend, op, variant, held));

async function prepare(
  backend: Backend,
  op: OpKind,
  { name, shape }: OpVariant,
  held: Held,
): Promise<Prepared<OpFigures>> {
  const { output, integers } = opProgram(op, shape);
  const program = graph({ name: `${op} ${name}`, inputs: output.inputs, outputs: [output] });
  const executable = held.add(await backend.compile(program));
  // Reading one element of a result waits for all that is queued before it, and copies nothing.
  const whole = input(output.shape);
  const first = slice(reshape(whole, [size(output.shape)]), { starts: [0], ends: [1] });
  const firstOf = held.add(await backend.compile(graph({ name: "wait", inputs: [whole], outputs: [first] })));
  const operands = output.inputs.map((x, seed) =>
    held.add(
      backend.upload(
        x.dtype === "int32" ? hostTensor("int32", x.shape, integers ?? []) : repeatedNoise(x.shape, 1, seed),
      ),
    ),
  );
  const run = (times: number): Promise<number> =>
    repeat(executable, operands, {
      times,
      async finish([result]) {
        const [element] = firstOf.run([result!]); // of the one output
        await element!.read();
        element![Symbol.dispose]();
      },
    });
  await run(1); // the first run of a program is not like those behind it
  const runs = runsOfRound(await run(1));
  return {
    name,
    contestants: [{ name, round: () => run(runs) }],
    figures: (rounds, limits) => opFigures(op, shape, rounds.get(name)!.seconds, limits),
    [Symbol.asyncDispose]: async () => held[Symbol.dispose](),
  };
}

/** @param seconds of a run, by round. */
export function opFigures(
  op: OpKind,
  shape: OpVariant["shape"],
  seconds: readonly number[],
  { bandwidth, flopRate }: Limits,
): OpFigures {
  const { flops, bytes } = opProgram(op, shape);
  const time = median(seconds);
  const least = Math.max(bandwidth > 0 ? bytes / bandwidth : 0, flopRate > 0 ? flops / flopRate : 0);
  return {
    phase: "op",
    op,
    shape,
    milliseconds: interquartile(seconds.map((each) => 1000 * each)),
    flops,
    bytes,
    intensity: flops / bytes,
    bytesPerSecond: bytes / time,
    flopsPerSecond: flops / time,
    rooflineShare: least / time,
  };
}
