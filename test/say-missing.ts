import type { TestProject } from "vitest/node";
import { checkRequired, missing } from "./devices.ts";

/** Fails a run that cannot test what it has to; at the end of any other, says what it did not test. */
export default function setup(project: TestProject): () => void {
  const { devices } = project.getProvidedContext();
  checkRequired(process.env.FINEGRAIN_REQUIRE ?? "", devices);
  return () => {
    for (const sentence of missing(devices)) console.log(sentence);
  };
}
