import { concat, type Graph, reshape, size, type Tensor } from "@finegrain/graph";

/** Which units of the feed-forward layers a decode step turns on. */
export interface Units {
  /** int32 [layers, on]: their places in the layer. */
  readonly chosen: Tensor;
  /** Units of a layer. */
  readonly units: number;
  /** Units that are on in a layer. */
  readonly on: number;
}

/**
 * The units that a decode graph turns on. A layer that reads only some of its units gathers their rows, by an index that its controller made:
 * that index is what is wanted, so that any layer that decodes by rows can be watched.
 *
 * @param weights the graph's inputs by path, as they are stored.
 * @returns undefined where the layers read all of their units.
 */
export function unitsOf(graph: Graph, weights: Readonly<Record<string, Tensor>>): Units | undefined {
  const gathers = graph.nodes.filter(({ op }) => op === "gather");
  const first = new Map<string, Tensor>();
  for (const [path, weight] of Object.entries(weights)) {
    const layer = /^blocks\.(\d+)\.feedForward\./.exec(path)?.[1];
    const reader = gathers.find(({ inputs: [table] }) => isOf(table!, weight));
    if (layer !== undefined && reader !== undefined && !first.has(layer)) first.set(layer, reader);
  }
  const readers = [...first].sort(([a], [b]) => Number(a) - Number(b)).map(([, reader]) => reader);
  const [reader] = readers;
  if (reader === undefined) return undefined;
  const index = ({ inputs }: Tensor) => inputs[1]!; // a gather has a table and an index
  const on = size(index(reader).shape);
  const rows = readers.map((one) => reshape(index(one), [1, on]));
  return { chosen: concat(...rows, { axis: 0 }), units: reader.inputs[0]!.shape[0]!, on };
}

/** Whether a table is a weight, or the numbers of one that is stored narrow. */
const isOf = (table: Tensor, weight: Tensor): boolean =>
  table === weight || (["cast", "mul"].includes(table.op) && isOf(table.inputs[0]!, weight));
