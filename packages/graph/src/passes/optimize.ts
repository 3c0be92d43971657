import type { CompositeName } from "../catalog.ts";
import type { Graph } from "../graph.ts";
import { commonSubexpressions } from "./common-subexpressions.ts";
import { decompose } from "./decompose.ts";
import { foldConstants } from "./fold-constants.ts";
import { simplify } from "./simplify.ts";

/** What a backend does first to a graph that it compiles: only primitives and the composites that it lowers whole remain. */
export const optimize = (graph: Graph, lowersWhole: ReadonlySet<CompositeName>): Graph =>
  [simplify, foldConstants, simplify, commonSubexpressions].reduce(
    (g, pass) => pass(g),
    decompose(simplify(graph), lowersWhole),
  );
