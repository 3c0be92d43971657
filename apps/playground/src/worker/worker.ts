import type { Job, JobName, Reply, Request } from "../protocol.ts";

/*
 * The worker's side of the protocol. What does a job is loaded with the first of its kind, so that a worker is there at once.
 */

const jobs: { readonly [N in JobName]: () => Promise<Job<N>> } = {
  open: async () => (await import("./watch.ts")).open,
  write: async () => (await import("./watch.ts")).write,
  train: async () => (await import("./train.ts")).trainRun,
  speeches: async () => (await import("./train.ts")).latestSpeeches,
  kept: async () => (await import("./kept-run.ts")).keptRun,
  measure: async () => (await import("./measure.ts")).measure,
  readLines: async () => (await import("./measure.ts")).readLines,
  pack: async () => (await import("./kept-run.ts")).packRun,
};

const running = new Map<number, AbortController>();
const reply = (message: Reply, transfer: Transferable[] = []): void => self.postMessage(message, { transfer });

self.onmessage = async ({ data }: MessageEvent<Request>) => {
  const { id } = data;
  if ("stop" in data) {
    running.get(id)?.abort();
    return;
  }
  const controller = new AbortController();
  running.set(id, controller);
  try {
    const job = (await jobs[data.job]()) as Job<JobName>; // the input is of the job of its name
    const tell = (event: unknown, transfer?: Transferable[]) => reply({ id, event }, transfer);
    reply({ id, result: await job(data.input, { tell, signal: controller.signal }) });
  } catch (error) {
    reply({ id, error: error instanceof Error ? error.message : String(error) });
  } finally {
    running.delete(id);
  }
};
