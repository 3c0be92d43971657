import type { Result } from "../results/result.ts";
import type { Html } from "./html.ts";
import type { Series } from "./series.ts";
import { sweep } from "./sweep.ts";

/** Decode time against the model's size, of the suite `scale`. */
export const scale = (results: readonly Result[], series: readonly Series[]): Html[] =>
  sweep(
    {
      suite: "scale",
      title: "Decode time against model size",
      note: "Milliseconds a token, the median of the rounds; bars are the middle half of them. Both axes are logarithmic.",
      axis: "parameters",
      size: ({ parameters }) => parameters,
    },
    results,
    series,
  );
