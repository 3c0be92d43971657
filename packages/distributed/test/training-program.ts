import { openMpi } from "../src/mpi/index.ts";
import { type Learned, learn, type Training } from "./learn.ts";

/* A rank of training.test.ts: the trainings of its one argument, as JSON. */
const world = await openMpi();
const trainings = JSON.parse(process.argv[2]!) as Training[]; // as the test gives them
const learned: Learned[] = [];
for (const training of trainings) learned.push(await learn(training, world));
if (world.rank === 0) console.log(JSON.stringify(learned));
await world[Symbol.asyncDispose]();
