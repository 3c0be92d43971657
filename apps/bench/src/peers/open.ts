import { FinegrainError } from "@finegrain/graph";
import { errorSentence } from "../results/error-sentence.ts";
import { jaxJs } from "./jax-js.ts";
import { llamaCpp } from "./llama-cpp.ts";
import { onnxRuntime } from "./onnx-runtime.ts";
import { isAbsence, type Peer, type PeerAbsence, type PeerPlace, type PeerSession } from "./peer.ts";
import { pytorch } from "./pytorch.ts";

/** Every peer that `--peers` can name. */
export const PEERS: readonly Peer[] = [pytorch(), llamaCpp, onnxRuntime, jaxJs];

/** Peers that were asked for, started or not. */
export interface OpenPeers extends AsyncDisposable {
  readonly all: readonly { readonly peer: Peer; readonly opened: PeerSession | PeerAbsence }[];
}

/**
 * The peers of a list of names, as a command line has it: "pytorch,llama.cpp", or "all".
 * @throws FinegrainError where one is not known.
 */
export function peersNamed(names: string): readonly Peer[] {
  if (names === "all") return PEERS;
  return [...new Set(names.split(","))].map((name) => {
    const peer = PEERS.find((known) => known.name === name.trim());
    if (peer) return peer;
    const known = PEERS.map((one) => one.name).join(", ");
    throw new FinegrainError(`there is no peer "${name.trim()}": known are ${known}, or all of them as "all"`);
  });
}

/** Start peers, one after the other. One that cannot start is an absence with the reason: the run goes on without it. */
export async function openPeers(peers: readonly Peer[], place: PeerPlace): Promise<OpenPeers> {
  const all: { peer: Peer; opened: PeerSession | PeerAbsence }[] = [];
  for (const peer of peers) {
    const opened = await peer
      .open(place)
      .catch((error) => ({ reason: `could not be opened: ${errorSentence(error)}` }));
    all.push({ peer, opened });
  }
  return {
    all,
    async [Symbol.asyncDispose]() {
      for (const { opened } of all) if (!isAbsence(opened)) await opened[Symbol.asyncDispose]();
    },
  };
}
