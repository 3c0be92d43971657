import { type Backend, createBackend, referenceDriver } from "@finegrain/graph";

/** The reference, which tells what it compiled and how many buffers it holds. */
export function countingBackend() {
  const driver = referenceDriver();
  const seen = { compiled: [] as string[], held: 0 };
  const backend: Backend = createBackend({
    ...driver,
    upload(value) {
      seen.held++;
      return driver.upload(value);
    },
    free: () => void seen.held--,
    async compile(graph, given) {
      seen.compiled.push(graph.name);
      const program = await driver.compile(graph, given);
      return {
        ...program,
        *run(inputs) {
          seen.held -= given.donate.length;
          const outputs = yield* program.run(inputs);
          seen.held += outputs.length;
          return outputs;
        },
      };
    },
  });
  return { backend, seen };
}
