import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { describe, expect, test } from "vitest";
import { importsOf, sourceFiles, workspace, workspacePackages } from "./imports.ts";

/** The files of one package that each file imports, for their types alone too. What it loads on demand is there by then. */
type Arrows = ReadonlyMap<string, readonly string[]>;

function arrowsWithin(folder: string): Arrows {
  const files = sourceFiles(folder).filter((path) => path.startsWith(`${folder}/src/`));
  return new Map(
    files.map((path) => {
      const imports = importsOf(readFileSync(join(workspace, path), "utf8")).filter(
        ({ onDemand, typeOnly }) => typeOnly || !onDemand,
      );
      const targets = imports.map(({ specifier }) => posix.join(posix.dirname(path), specifier));
      return [path, targets.filter((target) => files.includes(target))];
    }),
  );
}

/**
 * The sets of files that reach each other, a file that imports itself among them: Tarjan, "Depth-First Search and Linear Graph
 * Algorithms" (1972).
 */
function circles(arrows: Arrows): string[][] {
  const found: string[][] = [];
  const index = new Map<string, number>();
  /** The first file on the path at hand that each one reaches. */
  const lowest = new Map<string, number>();
  const path: string[] = [];
  const visit = (file: string): number => {
    index.set(file, index.size);
    lowest.set(file, index.get(file)!);
    path.push(file);
    for (const target of arrows.get(file) ?? []) {
      const reached = index.has(target) ? (path.includes(target) ? index.get(target)! : Infinity) : visit(target);
      lowest.set(file, Math.min(lowest.get(file)!, reached));
    }
    if (lowest.get(file) === index.get(file)) {
      const circle = path.splice(path.indexOf(file));
      if (circle.length > 1 || arrows.get(file)?.includes(file)) found.push(circle.sort());
    }
    return lowest.get(file)!;
  };
  for (const file of arrows.keys()) if (!index.has(file)) visit(file);
  return found;
}

test.each(workspacePackages())("no files of $folder import each other in a circle", ({ folder }) => {
  expect(circles(arrowsWithin(folder))).toEqual([]);
});

describe("the search", () => {
  test.each([
    ["two files", { a: ["b"], b: ["a"] }, [["a", "b"]]],
    ["a file that imports itself", { a: ["a"] }, [["a"]]],
    ["a long way round", { a: ["b"], b: ["c", "d"], c: ["a"], d: [] }, [["a", "b", "c"]]],
    [
      "two circles apart",
      { a: ["b", "c"], b: ["a"], c: ["d"], d: ["c"] },
      [
        ["c", "d"],
        ["a", "b"],
      ],
    ],
    ["no circle in a diamond", { a: ["b", "c"], b: ["d"], c: ["d"], d: [] }, []],
  ])("finds %s", (_, arrows, expected) => {
    expect(circles(new Map(Object.entries(arrows)))).toEqual(expected);
  });
});
