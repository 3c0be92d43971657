import type { Result } from "../results/result.ts";
import type { Html } from "./html.ts";
import type { Series } from "./series.ts";
import { sweep } from "./sweep.ts";

/** Decode time against the tokens in the cache, of the suite `context`. */
export const context = (results: readonly Result[], series: readonly Series[]): Html[] =>
  sweep(
    {
      suite: "context",
      title: "Decode time against context length",
      note: "Milliseconds a token, the median of the rounds; bars are the middle half of them. Both axes are logarithmic.",
      axis: "tokens in the cache",
      size: (result) => result.context,
    },
    results,
    series,
  );
