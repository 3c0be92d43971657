export * from "@finegrain/bench/format";
