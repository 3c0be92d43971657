#!/usr/bin/env node
/*
 * Writes the tables of benchmarks/README.md from the files of benchmarks/results, and puts files that are new there at
 * the end of their order: `npm run benchmarks`, which builds what reads them first.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readRecorded, withTables } from "@finegrain/bench/report";

const benchmarks = fileURLToPath(new URL("../benchmarks", import.meta.url));
const recorded = await readRecorded(`${benchmarks}/results`);
const page = `${benchmarks}/README.md`;
writeFileSync(page, withTables(readFileSync(page, "utf8"), recorded));
writeFileSync(recorded.orderPath, recorded.order);
