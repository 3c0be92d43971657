import { referenceBackend } from "@finegrain/graph";
import { describeBackend, describeGradients } from "../src/index.ts";

describeGradients();
describeBackend("reference", async () => referenceBackend());
