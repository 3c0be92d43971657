import type { TrainingListener } from "@finegrain/runs";
import { digits, whole } from "../../output/format.ts";
import { progressLine } from "../../output/progress.ts";
import type { Terminal } from "../../output/terminal.ts";
import { textProgress } from "../../output/text-progress.ts";

const SURPRISE = { name: "loss", unit: " nats a token" };
/** What students learn by: the loss is their teachers', and stays as it is. */
const IMITATION = { name: "imitation", unit: "" };

/** Shows a run's text and steps in the live line, and its evaluations as lines that stay. `label` stands before them. */
export function trainingProgress(out: Terminal, label = ""): TrainingListener {
  const named = label === "" ? "" : `${label} `;
  // The loss of one batch jumps: what is shown is a running mean.
  let mean: number | undefined;
  let shown = SURPRISE;
  return {
    onText: textProgress(out),
    onStep({ step, steps, loss: ofTokens, metrics, tokensPerSecond, seconds, first }) {
      const missed = metrics["loss.imitation"];
      const loss = missed ?? ofTokens;
      if (missed !== undefined) shown = IMITATION;
      mean = mean === undefined ? loss : 0.9 * mean + 0.1 * loss;
      const facts = [
        `${named}step ${step}/${steps}`,
        `${shown.name} ${mean.toFixed(3)}`,
        `${whole(tokensPerSecond)} tokens/s`,
      ];
      out.progress(progressLine(step, steps, seconds, facts, first));
    },
    onEvaluation({ step, bitsPerByte }) {
      const loss = mean === undefined ? "" : `, ${shown.name} ${mean.toFixed(3)}${shown.unit}`;
      out.print(`${named}step ${step}: ${digits(bitsPerByte)} bits per byte held out${loss}`);
    },
  };
}
