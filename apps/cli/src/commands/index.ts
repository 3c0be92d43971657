import type { Command } from "../command.ts";
import { bench } from "./bench.ts";
import { demo } from "./demo.ts";
import { devices } from "./devices.ts";
import { evaluate } from "./evaluate.ts";
import { generate } from "./generate.ts";
import { report } from "./report.ts";
import { train } from "./train.ts";

/** In the order in which help lists them. */
export const commands: readonly Command[] = [demo, train, generate, evaluate, bench, report, devices];
