import { atOnce, type Turns } from "../backend/turn.ts";
import type { CompositeName } from "../catalog.ts";
import type { Graph } from "../graph.ts";
import { merged } from "./common-subexpressions.ts";
import { decomposed } from "./decompose.ts";
import { folded } from "./fold-constants.ts";
import { reassociating } from "./reassociate.ts";
import { rewriting } from "./rewrite.ts";
import { simplified } from "./simplify.ts";

/** What a backend does first to a graph that it compiles: only primitives and the composites that it lowers whole remain. */
export const optimize = (graph: Graph, lowersWhole: ReadonlySet<CompositeName>): Graph =>
  atOnce(optimizing(graph, lowersWhole));

/** The same, in turns. */
export function* optimizing(source: Graph, lowersWhole: ReadonlySet<CompositeName>): Turns<Graph> {
  let graph = source;
  for (const replace of [simplified, decomposed(lowersWhole), simplified, folded, simplified, merged()])
    graph = yield* rewriting(graph, replace);
  return yield* reassociating(graph);
}
