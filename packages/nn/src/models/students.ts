import {
  div,
  type HostTensor,
  hostTensor,
  mean,
  mul,
  sameShape,
  stopGradient,
  sub,
  type Tensor,
} from "@finegrain/graph";
import { evaluation } from "../context.ts";
import { type DecodedLayer, type Layer, leaves, type Param, type Params, type Weights } from "../layer.ts";
import { decodedBy } from "../layers/block.ts";
import { addLoss } from "../layers/feed-forward/experts/routing.ts";
import { hiddenUnits, type ModelConfig } from "./config.ts";

/** The name under which a student's parameters stand among its teacher's. */
const NAME = "student";
const PREFIX = new RegExp(`^(blocks\\.\\d+\\.feedForward\\.)${NAME}\\.`);

/** Whether a path is of a student's parameter: those alone are trained. */
export const isStudent = (path: string): boolean => PREFIX.test(path);

/**
 * A feed-forward layer and a student that learns to do the same. In training the teacher's output goes on, as it is in evaluation, so that every student sees what
 * its teacher sees, and the loss "imitation" is added: the part of the output's mean square that the student misses. In evaluation and in
 * decoding the student has taken the teacher's place.
 */
export function taught(teacher: Layer | DecodedLayer, student: Layer | DecodedLayer): DecodedLayer {
  type W = Weights<Params & { readonly [NAME]: Params }>;
  return {
    params: { ...teacher.params, [NAME]: student.params },
    ...(student.notCausal !== undefined && { notCausal: student.notCausal }),
    ...(student.noDecode !== undefined && { noDecode: student.noDecode }),
    apply(w, x, context) {
      const own = (w as W)[NAME];
      if (context.mode === "evaluate") return student.apply(own, x, context);
      const y = stopGradient(teacher.apply(w, x, evaluation));
      const missed = sub(student.apply(own, stopGradient(x), context), y);
      addLoss(context, "imitation", 1, div(meanSquare(missed), meanSquare(y)));
      return y;
    },
    decode: (w, x) => decodedBy(student, (w as W)[NAME], x),
  };
}

const meanSquare = (x: Tensor): Tensor => mean(mul(x, x), { axes: x.shape.map((_, axis) => axis) });

/**
 * What students begin with: of their teachers' weights those that have their names and shapes, as they are or turned over. They have to draw
 * the rest.
 *
 * @param weights of the model without students, by path.
 */
export function studentStart(params: Params, weights: ReadonlyMap<string, HostTensor>): Map<string, HostTensor> {
  return new Map(
    leaves<Param>(params).flatMap(([path, { shape }]) => {
      const own = isStudent(path) ? weights.get(path.replace(PREFIX, "$1")) : undefined;
      if (own === undefined) return [];
      const [rows, columns] = shape;
      // Of a square one nobody can tell whether it is turned over.
      if (sameShape(own.shape, shape)) return rows === columns ? [] : [[path, own]];
      return shape.length === 2 && sameShape([...own.shape].reverse(), shape) ? [[path, turned(own)]] : [];
    }),
  );
}

function turned({ shape, data }: HostTensor): HostTensor {
  const [rows, columns] = shape as [number, number];
  const numbers = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) numbers[column * rows + row] = data[row * columns + column]!;
  return hostTensor("float32", [columns, rows], numbers);
}

/** The config of a model whose students have taken their teachers' place. */
export function graduatedConfig({ student, activation, ...config }: ModelConfig): ModelConfig {
  if (student === undefined) return { ...config, ...(activation !== undefined && { activation }) };
  const { feedForward, dFf = hiddenUnits(config) } = student;
  return { ...config, feedForward, dFf };
}

/** The weights of that model. */
export const graduatedWeights = (weights: ReadonlyMap<string, HostTensor>): Map<string, HostTensor> =>
  new Map(
    [...weights]
      .filter(([path]) => isStudent(path) || !/^blocks\.\d+\.feedForward\./.test(path))
      .map(([path, value]) => [path.replace(PREFIX, "$1"), value]),
  );
