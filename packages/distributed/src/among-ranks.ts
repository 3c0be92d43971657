import {
  type Backend,
  type Buffer,
  type Compiled,
  type Graph,
  type HostTensor,
  type Like,
  type ListGraph,
  Outline,
  segmentsOf,
} from "@finegrain/graph";
import type { Communicator, Numbers } from "./communicator.ts";

/** A graph that several ranks run together, each on its own backend. All of them make the same calls. */
export interface ExecutableAmongRanks<I, O> extends Disposable {
  /** As an `Executable`, but that it waits for what ranks say to each other: what it was given may be disposed once that is over. */
  run(inputs: Like<I, Buffer>): Promise<Like<O, Buffer>>;
}

/** What a graph of the type `G` is compiled to. */
export type CompiledAmongRanks<G> = G extends Graph<infer I, infer O> ? ExecutableAmongRanks<I, O> : never;

/** How ranks exchange numbers: as `allToAll` of a communicator does. */
export type Exchange = Communicator["allToAll"];

/**
 * Compile a graph that ranks run together. Between two of its segments, values lie on the device; what goes to other ranks is read, sent by the host
 * and uploaded, so that any backend can have a part in it.
 */
export async function compileAmongRanks<I, O>(
  backend: Backend,
  graph: Graph<I, O>,
  exchange: Exchange,
): Promise<ExecutableAmongRanks<I, O>> {
  const { segments, gives } = segmentsOf(graph as unknown as Graph); // the lists of its leaves
  const [inputs, outputs] = [new Outline(graph.takes), new Outline(graph.gives)];
  const executables: (Compiled<ListGraph> | undefined)[] = [];
  for (const segment of segments)
    executables.push(segment.gives.length === 0 ? undefined : await backend.compile(segment.graph));
  return {
    async run(given) {
      const values = inputs.list<Buffer>(given, `graph "${graph.name}"`);
      for (const [i, { takes, gives, exchanges, lastUse }] of segments.entries()) {
        const results = executables[i]?.run(takes.map((value) => values[value]!));
        for (const [k, value] of gives.entries()) values[value] = results![k]!;
        for (const { of, into } of exchanges)
          values[into] = backend.upload(exchanged(await values[of]!.read(), exchange));
        for (const value of lastUse) values[value]![Symbol.dispose]();
      }
      return outputs.tree<Buffer>(gives.map((value) => values[value]!));
    },
    [Symbol.dispose]() {
      for (const executable of executables) executable?.[Symbol.dispose]();
    },
  };
}

function exchanged(sent: HostTensor, exchange: Exchange): HostTensor {
  const data = sent.data as Numbers; // float32 of a device, float64 of the reference: infer() of allToAll takes no other
  const received = data.slice();
  exchange(data, received);
  return { ...sent, data: received };
}
