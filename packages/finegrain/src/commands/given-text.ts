import { readText, type Text } from "@finegrain/runs";
import { UsageError } from "../exit.ts";

/**
 * The text that --data names, if it is said.
 * @throws UsageError where --text-field is said without it.
 */
export async function givenText(flags: {
  readonly data?: string | undefined;
  readonly "text-field"?: string | undefined;
}): Promise<Text | undefined> {
  const { data, "text-field": field } = flags;
  if (data !== undefined) return readText(data, { field });
  if (field !== undefined) throw new UsageError("--text-field needs --data");
  return undefined;
}
