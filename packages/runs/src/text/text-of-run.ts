import { alone, type Communicator } from "@finegrain/distributed";
import type { RunConfig } from "../config.ts";
import { expectFingerprint, fingerprintOf, shareFingerprint } from "./fingerprint.ts";
import { type Text, textOf, textOfConfig } from "./text.ts";

/**
 * The text of a run that is there already: its own, or the one that is given.
 *
 * @param newData whether it may be another than the run has learned from.
 * @throws FinegrainError where it cannot be read, or is another and may not be.
 */
export async function textOfRun(
  config: RunConfig,
  {
    data: given,
    newData = false,
    communicator = alone(),
  }: {
    readonly data?: Text | string | undefined;
    readonly newData?: boolean | undefined;
    readonly communicator?: Communicator | undefined;
  },
): Promise<Text> {
  const { text: known } = config;
  const text = given === undefined ? await textOfConfig(config) : textOf(given);
  await shareFingerprint(communicator, text);
  if (known !== undefined && !newData) await expectFingerprint(text, known, ADVICE);
  return text;
}

const ADVICE = "bring that back, name it by --data, or learn on from this one by --new-data (newData)";

/** Where a text is, as a config says it. */
export const sourceOf = ({
  source,
  field,
  sourceField,
}: Text): Pick<RunConfig, "data" | "textField" | "sourceField"> => ({
  ...(sourceField !== undefined && { sourceField }),
  ...(source !== undefined && { data: source }),
  ...(field !== undefined && { textField: field }),
});

/** A config that says which text a run learns from. */
export async function withText<C extends Partial<RunConfig>>(
  { data: _data, textField: _field, sourceField: _source, ...config }: C,
  text: Text,
  communicator: Communicator = alone(),
) {
  await shareFingerprint(communicator, text);
  return { ...config, ...sourceOf(text), text: await fingerprintOf(text) };
}
