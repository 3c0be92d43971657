import { referenceBackend } from "@finegrain/graph";
import { describeBackend } from "../src/index.ts";

describeBackend("reference in Chromium", async () => referenceBackend());
