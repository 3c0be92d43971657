import { cpSync } from "node:fs";
import { packageBuild } from "../../tsup.base.ts";

export default {
  ...packageBuild(["src/index.ts", "src/method.ts", "src/results/format.ts", "src/report/index.ts"]),
  // An installed command finds the suites and the peers' programs beside its code.
  onSuccess: async () => {
    cpSync("../../benchmarks/suites", "dist/suites", { recursive: true });
    cpSync("peers", "dist/peers", { recursive: true, filter: (path) => !path.includes("__pycache__") });
  },
};
