/// <reference lib="dom" />
/*
 * A model that writes in a worker of a page. Vite, webpack and esbuild know this way to name a worker.
 *
 *   const config = (await (await fetch("runs/mine/config.json")).json()).model;
 *   const weights = new Uint8Array(await (await fetch("runs/mine/model.safetensors")).arrayBuffer());
 *   await generate({ config, weights, prompt: "It is ", maxTokens: 100 }, (text) => output.append(text));
 *
 * The engine takes several threads where the page is cross-origin isolated (the headers Cross-Origin-Opener-Policy: same-origin
 * and Cross-Origin-Embedder-Policy: require-corp), and one where it is not.
 */
import type { Reply, Request } from "./worker.ts";

/**
 * Write on from a prompt in a worker of its own.
 * @param show is handed the text, piece by piece.
 * @throws Error what went wrong in the worker.
 */
export async function generate(request: Request, show: (text: string) => void): Promise<void> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  try {
    await new Promise<void>((resolve, reject) => {
      worker.onerror = ({ message }) => reject(new Error(message || "the worker did not start"));
      worker.onmessage = ({ data }: MessageEvent<Reply>) => {
        if ("text" in data) show(data.text);
        else if (data.error === undefined) resolve();
        else reject(new Error(data.error));
      };
      worker.postMessage(request);
    });
  } finally {
    worker.terminate();
  }
}
