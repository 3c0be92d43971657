import type { TrainingListener } from "@finegrain/runs";
import { duration, bytes as shownBytes } from "./format.ts";
import { progressLine } from "./progress.ts";
import type { Terminal } from "./terminal.ts";

/** Seconds after which it is told how long a text takes to become tokens: those of most texts are over by then. */
const WORTH_TELLING = 2;

/** Shows how a text becomes tokens: once how long that takes, and a live line. */
export function textProgress(out: Terminal): NonNullable<TrainingListener["onText"]> {
  let isTold = false;
  return ({ bytes, of, seconds }) => {
    if (seconds < WORTH_TELLING) return;
    if (!isTold) out.print(`${shownBytes(of)} of text become tokens: about ${duration((seconds * of) / bytes)}`);
    isTold = true;
    out.progress(progressLine(bytes, of, seconds, [`tokens of ${shownBytes(bytes)}`]));
  };
}
