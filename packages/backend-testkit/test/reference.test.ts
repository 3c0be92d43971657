import { referenceBackend } from "@finegrain/graph";
import { describeBackend, describeGradients } from "../src/index.ts";

describeGradients();
// All golden cases are run on the reference by the test of the golden command.
describeBackend("reference", async () => referenceBackend(), { goldenStep: 24 });
