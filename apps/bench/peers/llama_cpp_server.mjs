/**
 * llama.cpp as a peer of `finegrain bench`: a process that reads a JSON object a line, and answers each with one.
 *
 *     { do: "hello", threads }                          -> { release }  or  { missing: the package }
 *     { do: "prepare", path, prompt: [tokens], units }  -> { task }      units tokens behind the prompt; of none, the prompt itself
 *     { do: "round", task }                             -> { seconds }   a token
 *     { do: "drop", task }                              -> {}
 *
 * An answer { error } is one sentence. The end of the input ends the process. It is one of its own since a model that llama.cpp
 * does not like makes it abort.
 */
import { createInterface } from "node:readline";

const PACKAGE = "node-llama-cpp";

let llama;
let threads;
const tasks = new Map();

const requests = {
  async hello(request) {
    let getLlama;
    try {
      ({ getLlama } = await import(PACKAGE));
    } catch (error) {
      // A package that lacks one of its own, or a library of the system, says so itself.
      if (error.code !== "ERR_MODULE_NOT_FOUND" || !error.message.includes(`'${PACKAGE}'`)) throw error;
      return { missing: PACKAGE };
    }
    threads = request.threads;
    llama = await getLlama({
      gpu: false,
      build: "never",
      skipDownload: true,
      progressLogs: false,
      logLevel: "error",
      logger: (_, message) => process.stderr.write(message),
      maxThreads: threads,
    });
    return { release: llama.llamaCppRelease.release };
  },
  async prepare({ path, prompt, units }) {
    const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
    const context = await model.createContext({ contextSize: prompt.length + units + 1, sequences: 1, threads });
    const sequence = context.getSequence();
    if (units > 0) await sequence.evaluateWithoutGeneratingNewTokens(prompt);
    const task = tasks.size + 1;
    tasks.set(task, { model, sequence, prompt, units });
    return { task };
  },
  async round({ task }) {
    const { sequence, prompt, units } = tasks.get(task);
    const started = performance.now();
    if (units === 0) {
      await sequence.evaluateWithoutGeneratingNewTokens(prompt);
      const seconds = (performance.now() - started) / 1000 / prompt.length;
      await sequence.eraseContextTokenRanges([{ start: 0, end: prompt.length }]);
      return { seconds };
    }
    for (let step = 0; step < units; step++)
      await sequence.controlledEvaluate([[prompt[step % prompt.length], { generateNext: { token: true } }]]);
    const seconds = (performance.now() - started) / 1000 / units;
    // The next round begins behind the prompt again.
    await sequence.eraseContextTokenRanges([{ start: prompt.length, end: prompt.length + units }]);
    return { seconds };
  },
  async drop({ task }) {
    await tasks.get(task).model.dispose();
    tasks.set(task, undefined);
    return {};
  },
};

async function answered(line) {
  try {
    const request = JSON.parse(line);
    if (!Object.hasOwn(requests, request.do)) return { error: `there is no request "${request.do}"` };
    return await requests[request.do](request);
  } catch (error) {
    return { error: String(error.message).split("\n")[0] };
  }
}

// Ctrl-C is the bench's to answer: it ends the input when the round is over.
process.on("SIGINT", () => {});
for await (const line of createInterface({ input: process.stdin }))
  process.stdout.write(`${JSON.stringify(await answered(line))}\n`);
process.exit();
