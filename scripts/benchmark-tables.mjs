#!/usr/bin/env node
/*
 * Writes benchmarks/results/README.md, the tables, from the files beside it, and puts files that are new there at the end of
 * their order: `npm run benchmarks`, which builds what reads them first.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readRecorded, tablesPage } from "@finegrain/bench/report";

const results = fileURLToPath(new URL("../benchmarks/results", import.meta.url));
const recorded = await readRecorded(results);
writeFileSync(`${results}/README.md`, tablesPage(recorded));
writeFileSync(recorded.orderPath, recorded.order);
