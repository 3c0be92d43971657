import { type ReadTextOptions, readText, type Text } from "@finegrain/runs";
import { UsageError } from "../exit.ts";

/** Which fields of JSONL lines are read: of pairs, the source and what follows it. */
export const fieldsOf = (field: string | undefined, pairs: boolean): ReadTextOptions =>
  pairs ? { field: field ?? "target", sourceField: "source" } : { field };

/**
 * The text that --data names, if it is said.
 * @throws UsageError where --text-field is said without it.
 */
export async function givenText(flags: {
  readonly data?: string | undefined;
  readonly "text-field"?: string | undefined;
  readonly pairs?: boolean | undefined;
}): Promise<Text | undefined> {
  const { data, "text-field": field, pairs = false } = flags;
  if (data !== undefined) return readText(data, fieldsOf(field, pairs));
  if (pairs) throw new UsageError("--pairs needs --data");
  if (field !== undefined) throw new UsageError("--text-field needs --data");
  return undefined;
}
