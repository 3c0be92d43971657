import { boolean, choice, type Suggested, whole } from "../../../definition/option.ts";
import { activationNames } from "../activation.ts";
import type { Ending } from "../definition.ts";

/*
 * Options that several layers of experts have.
 */

/** Tokens of a group, and experts, where nobody says how many. */
const USUAL = 8;

/** Into how many experts the hidden units are cut. */
export const expertCount = whole({ doc: "experts that dFf is cut into", suggest: () => USUAL });

/** As {@link expertCount}, of a layer whose groups are usually as large as it has experts. */
export const expertCountOfGroups = whole({
  doc: expertCount.doc,
  suggest: ({ chosen }) => Math.max(2, chosen.groupSize!),
});

/** The most tokens that a group may have, up to the usual number, so that groups divide the batch. */
export function usualGroupSize({ batch }: Suggested): number {
  let size = Math.min(USUAL, batch);
  while (batch % size !== 0) size--;
  return size;
}

export const groupOptions = {
  groupSize: whole({ doc: "tokens of a group", suggest: usualGroupSize }),
  groupAlong: choice(["batch", "time"], {
    doc: "what groups are made along: across the batch, or along time, which is not causal",
    default: "batch",
  }),
};

/** Options of the experts themselves. */
export const expertOptions = {
  activation: choice(activationNames, { doc: "of the experts' units", default: "relu" }),
  gated: boolean({
    doc: 'a third matrix, whose units go through the activation and multiply the first\'s: "swiglu", "geglu"',
    default: false,
  }),
};

/** Room for twice what the tokens ask for, so that few are dropped: in decode none is. */
const ROOM = 2;

/**
 * What groups end their training as: every token takes as many experts as it had in the mean.
 *
 * @param controller the name of the weights that become the router's.
 */
export const asTokenChoice = (
  {
    experts,
    groupSize,
    bias = false,
  }: { readonly experts: number; readonly groupSize: number; readonly bias?: boolean },
  controller: string,
): Ending => ({
  layer: {
    type: "token-choice",
    experts,
    k: Math.max(1, Math.round(experts / groupSize)),
    capacityFactor: ROOM,
    ...(bias && { bias }),
  },
  renamed: { [controller]: "router" },
});
