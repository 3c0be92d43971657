import type { Command } from "../command.ts";
import { bench } from "./bench/flags.ts";
import { demo } from "./demo/flags.ts";
import { devices } from "./devices/flags.ts";
import { evaluate } from "./evaluate/flags.ts";
import { exportCommand } from "./export/flags.ts";
import { generate } from "./generate/flags.ts";
import { importCommand } from "./import/flags.ts";
import { report } from "./report/flags.ts";
import { sparsify } from "./sparsify/flags.ts";
import { study } from "./study/flags.ts";
import { train } from "./train/flags.ts";

/** In the order in which help lists them. */
export const commands: readonly Command[] = [
  demo,
  train,
  generate,
  evaluate,
  importCommand,
  exportCommand,
  sparsify,
  bench,
  study,
  report,
  devices,
];
