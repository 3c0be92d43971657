import type { Naming } from "../given.ts";

/** Words that Trax's layers use in the other family of cases, as they are written here. */
const words: Readonly<Record<string, string>> = {
  query: "q",
  key: "k",
  value: "v",
  "query-key": "qk",
  output: "out",
  modular: "modules",
};

/** The matrices of a feed-forward layer that chooses among its units; of a dense one they are called as they are there. */
const matrices: Readonly<Record<string, string>> = { in: "w1", out: "w2" };

/** What a layer draws, in its order. */
const drawn = ["rotations", "u", "select", "keep"];

/** "random.layer1.select" comes after all of layer 0, and after "random.layer1.u". */
function inOrder(a: string, b: string): number {
  const [layerA, layerB] = [a.slice(0, a.lastIndexOf(".")), b.slice(0, b.lastIndexOf("."))];
  if (layerA !== layerB) return layerA < layerB ? -1 : 1;
  return placeOf(a) - placeOf(b);
}

const placeOf = (draw: string): number => drawn.indexOf(draw.slice(draw.lastIndexOf(".") + 1));

/**
 * Names of the weights and draws of these cases, from those that the adapters of the other family ask for: a matrix that has a
 * name of its own is a kernel ("query" is "q.kernel"), and of two layers after attention each has its name ("output.gating" is
 * "out_mult.gating", "output.kernel" is "out_conv.kernel").
 */
export const wideNames: Naming = {
  weight(name) {
    const here = name
      .split(".")
      .map((word) => words[word] ?? word)
      .join(".");
    const last = here.slice(here.lastIndexOf(".") + 1);
    const before = here.slice(0, here.length - last.length);
    return [
      here,
      `${here}.kernel`,
      ...(Object.hasOwn(matrices, last) ? [`${before}${matrices[last]}`] : []),
      here.replace(/(^|\.)out\.conv\./, "$1out_conv."),
      here.replace(/(^|\.)out\./, "$1out_mult."),
      here.replace(/(^|\.)out\./, "$1out_conv."),
    ];
  },
  draws: (stored) => [...stored].sort(inOrder),
};
