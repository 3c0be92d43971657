import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadSuite, parseSuite, suiteNames } from "../src/suites.ts";

const small = {
  name: "small",
  title: "A small one",
  cases: [
    {
      name: "one",
      phase: "decode",
      model: { layers: 2, width: 8 },
      variants: [
        { name: "dense", model: {} },
        { name: "sparse", model: { width: 16 } },
      ],
      measure: { rounds: 9, units: 3 },
      quick: { rounds: 2 },
    },
  ],
};

test("every suite that comes with the package is valid and is named like its file", async () => {
  const names = await suiteNames();
  expect(names).toEqual(expect.arrayContaining(["paper-800m", "train-small"]));
  for (const name of names) expect((await loadSuite(name)).name).toBe(name);
});

test("variants extend the case's model, and quick its measure", () => {
  const [only] = parseSuite(small, "small.json").cases;
  expect(only!.variants.map(({ model }) => model)).toEqual([
    { layers: 2, width: 8 },
    { layers: 2, width: 16 },
  ]);
  expect(only!.measure).toMatchObject({ rounds: 9, units: 3 });
  expect(only!.quick).toMatchObject({ rounds: 2, units: 3 });
});

const change = (fields: object) => ({ ...small, cases: [{ ...small.cases[0], ...fields }] });

test.each([
  [{ ...small, cases: [] }, "x.json: cases must be a list with at least one entry"],
  [{ name: "x", title: "x" }, 'x.json has no "cases"'],
  [{ ...small, rows: 1 }, 'unknown field "rows"'],
  [change({ phase: "sleep" }), 'phase must be "train", "decode" or "layer", not "sleep"'],
  [change({ measure: { rounds: 0 } }), "rounds must be a whole number of at least 1, not 0"],
  [change({ measure: { round: 3 } }), 'unknown field "round"'],
  [
    change({ variants: [...small.cases[0]!.variants, { name: "dense", model: {} }] }),
    'two variants are called "dense"',
  ],
])("refuses what is no suite (%#)", (value, sentence) => {
  expect(() => parseSuite(value, "x.json")).toThrow(sentence);
});

test("loads a suite by its path, and names those that it knows", async () => {
  const path = join(await mkdtemp(join(tmpdir(), "suite-")), "small.json");
  await writeFile(path, JSON.stringify(small));
  expect((await loadSuite(path)).title).toBe("A small one");
  await expect(loadSuite("no-such")).rejects.toThrow(/no suite "no-such".*paper-800m/);
});
