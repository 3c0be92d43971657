import { loadSuite, suiteNames } from "../suites/load-suite.ts";
import type { PaperFigures } from "../suites/suite.ts";

/** What a paper says of the variants of a suite. */
export interface PaperTable {
  readonly suite: string;
  /** Where the figures are from. */
  readonly source: string;
  readonly variants: ReadonlyMap<string, PaperFigures>;
}

/** The papers' figures that the suites of the package repeat: the suites are where they are kept. */
export async function paperTables(): Promise<PaperTable[]> {
  const suites = await Promise.all((await suiteNames()).map(loadSuite));
  const tables = suites.map(({ name, source = "", cases }) => {
    const variants = cases
      .flatMap((one) => (one.phase === "op" ? [] : one.variants))
      .flatMap(({ name: variant, paper }) => (paper === undefined ? [] : [[variant, paper] as const]));
    return { suite: name, source, variants: new Map(variants) };
  });
  return tables.filter(({ variants }) => variants.size > 0);
}
