import type { Graph } from "./graph.ts";
import type { Tensor } from "./tensor.ts";
import { inputName, typeName } from "./tensor.ts";

function attributes(node: Tensor): string {
  if (node.attrs === undefined) return "";
  if (node.op === "constant") {
    const { data } = node.attrs as { data: readonly number[] }; // the attributes of a constant
    return data.length === 1 ? ` ${data[0]}` : ` [${data.slice(0, 4).join(", ")}${data.length > 4 ? ", ..." : ""}]`;
  }
  return ` ${JSON.stringify(node.attrs)}`;
}

/**
 * A graph as text, a line a node:
 *
 *   graph "step"(x: float32[2,3], w: float32[3,4])
 *     %2 = einsum(x, w) "B D, D F -> B F" : float32[2,4]
 *     return %2
 */
export function print(graph: Graph): string {
  const names = new Map<Tensor, string>(graph.inputs.map((tensor, i) => [tensor, inputName(tensor) ?? `%${i}`]));
  let next = graph.inputs.length;
  const lines = graph.nodes.flatMap((node) => {
    if (names.has(node)) return [];
    const name = `%${next++}`;
    names.set(node, name);
    const operands = node.inputs.map((x) => names.get(x)!).join(", ");
    return [`  ${name} = ${node.op}(${operands})${attributes(node)} : ${typeName(node)}`];
  });
  const signature = graph.inputs.map((x) => `${names.get(x)!}: ${typeName(x)}`).join(", ");
  return [
    `graph "${graph.name}"(${signature})`,
    ...lines,
    `  return ${graph.outputs.map((x) => names.get(x)!).join(", ")}`,
  ].join("\n");
}
