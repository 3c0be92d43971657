import { type Communicator, valuesOfRanks } from "../src/index.ts";
import { openMpi } from "../src/mpi/index.ts";
import { type Learned, learn, type Training } from "./learn.ts";

/*
 * A rank of training.test.ts: the trainings of its one argument as JSON, each with the bytes of a step that this rank sent to others.
 */

/** A communicator that counts the bytes of weights and gradients that leave this rank. */
function counting(world: Communicator) {
  const { size } = world;
  const sent = { bytes: 0 };
  const communicator: Communicator = {
    name: world.name,
    rank: world.rank,
    size,
    local: world.local,
    allReduce: (values, reduction) => world.allReduce(values, reduction),
    broadcast: (values, root) => world.broadcast(values, root),
    reduceScatter: (all, mine) => world.reduceScatter(all, mine),
    allGather(mine, all) {
      sent.bytes += mine.byteLength * (size - 1);
      world.allGather(mine, all);
    },
    allToAll(send, received) {
      sent.bytes += (send.byteLength / size) * (size - 1);
      world.allToAll(send, received);
    },
    first: (ranks) => world.first(ranks),
    barrier: () => world.barrier(),
    abort: (exitCode) => world.abort(exitCode),
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
  return { communicator, sent };
}

const world = await openMpi();
const trainings = JSON.parse(process.argv[2]!) as Training[]; // as the test gives them
const found: { learned: Learned; stepBytes: number }[] = [];
for (const training of trainings) {
  const { communicator, sent } = counting(world);
  const own = world.rank === world.size - 1 ? training.lastRank : {};
  const learned = await learn({ ...training, ...own }, communicator);
  const all = valuesOfRanks(world, learned.held);
  const most = (what: keyof Learned["held"]) => Math.max(...all.map((held) => held[what]));
  const held = { experts: most("experts"), slots: most("slots") };
  found.push({ learned: { ...learned, held }, stepBytes: sent.bytes / training.steps });
}
if (world.rank === 0) console.log(JSON.stringify(found));
await world[Symbol.asyncDispose]();
