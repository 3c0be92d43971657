/*
 * The formula of `scaledStep` against seconds: the messages of a training step, of 2 and of 8 million weights, by the ranks that started this.
 * Bandwidth and latency are fitted to the smaller step and to one of hardly any weights; the larger is what the formula then says, and what it took.
 *
 *   mpirun -n 2 node scripts/measure-exchange.mjs
 */
import { scaledStep } from "@finegrain/distributed";
import { openMpi } from "@finegrain/distributed/mpi";

/** The least of so many is taken: on a busy machine most are longer by what others do meanwhile. */
const ROUNDS = 60;
const world = await openMpi();
const { rank, size: ranks } = world;

/** Least seconds of a step's messages: gradients to their ranks, their norm, and updated weights to all. */
async function secondsOf(weights) {
  const region = Math.ceil(weights / ranks);
  const [gradients, received] = [new Float32Array(region * ranks), new Float32Array(region * ranks)];
  const [mine, facts] = [new Float32Array(region), new Float64Array(16)];
  const seconds = [];
  for (let round = 0; round < ROUNDS; round++) {
    await world.barrier();
    const started = performance.now();
    world.allToAll(gradients, received);
    world.allReduce(facts);
    world.allGather(mine, received);
    const own = Float64Array.of((performance.now() - started) / 1000);
    world.allReduce(own, "max");
    seconds.push(own[0]);
  }
  return Math.min(...seconds);
}

const model = (parameters) => ({ parameters, computeSeconds: 1 });
const messagesOf = (network, parameters) =>
  scaledStep(model(parameters), network, { ranks, scaling: "strong" }).communicationSeconds;
const [few, some, many] = [64, 2_000_000, 8_000_000];
const [ofFew, ofSome, ofMany] = [await secondsOf(few), await secondsOf(some), await secondsOf(many)];
const free = { bandwidth: Number.POSITIVE_INFINITY, latency: 1 };
const latency = ofFew / messagesOf(free, few);
const { bytes } = scaledStep(model(some), free, { ranks, scaling: "strong" });
const bandwidth = bytes / (ofSome - ofFew);
if (rank === 0) {
  const predicted = messagesOf({ bandwidth, latency }, many);
  console.log(
    JSON.stringify({
      ranks,
      mpi: world.name,
      latency,
      bandwidth,
      weights: many,
      predicted,
      measured: ofMany,
      ratio: ofMany / predicted,
    }),
  );
}
await world[Symbol.asyncDispose]();
