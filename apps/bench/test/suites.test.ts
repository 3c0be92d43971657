import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { catalogs, type ModelConfig, modelOf } from "@finegrain/nn";
import { expect, test } from "vitest";
import { loadSuite, suiteNames } from "../src/suites/load-suite.ts";
import { parseSuite } from "../src/suites/parse-suite.ts";
import { besideBaseline, type Case, quickForm, type Variant } from "../src/suites/suite.ts";

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

const modelsOf = (entry: Case): readonly Variant[] => (entry.phase === "op" ? [] : entry.variants);

test("train-layers compares feed-forward layers that there are", async () => {
  const { cases } = await loadSuite("train-layers");
  const types = cases
    .flatMap((entry) => (entry.phase === "op" ? [] : entry.variants))
    .map(({ model }) => {
      const { type } = (model.feedForward ?? { type: "dense" }) as { readonly type: string }; // as ModelConfig has it
      return type;
    });
  expect(new Set(types).size).toBeGreaterThan(6);
  expect(Object.keys(catalogs.feedForward)).toEqual(expect.arrayContaining(types));
});

test("every suite has a quick form, and a model of it that nn accepts", async () => {
  for (const name of await suiteNames()) {
    const suite = await loadSuite(name);
    expect(
      quickForm(suite).cases.some(({ variants }) => variants.length > 0),
      name,
    ).toBe(true);
    // Configs of the suites are checked here, and not after minutes of a run.
    for (const entry of suite.cases.filter(({ phase }) => phase === "decode" || phase === "train"))
      for (const variant of modelsOf(entry))
        expect(() => modelOf(variant.model as unknown as ModelConfig), `${entry.name}: ${variant.name}`).not.toThrow();
  }
});

test("variants extend the case's model, and quick its measure", () => {
  const [only] = parseSuite(small, "small.json").cases;
  expect(only!.variants).toMatchObject([{ model: { layers: 2, width: 8 } }, { model: { layers: 2, width: 16 } }]);
  expect(only!.measure).toMatchObject({ rounds: 9, units: 3 });
  expect(only!.quick).toMatchObject({ rounds: 2, units: 3 });
});

test("the quick form leaves out what says so", () => {
  const [{ variants, ...entry }] = small.cases as [(typeof small.cases)[0]];
  const cases = [
    { ...entry, variants: [variants[0], { ...variants[1], quick: false }] },
    { ...entry, name: "long", variants, quick: false },
  ];
  const suite = parseSuite({ ...small, cases }, "small.json");
  expect(suite.cases.map(({ variants }) => variants.length)).toEqual([2, 2]);
  const { cases: quick } = quickForm(suite);
  expect(quick.map(({ name, measure }) => [name, measure.rounds])).toEqual([["one", 2]]);
  expect(quick[0]!.variants.map(({ name }) => name)).toEqual(["dense"]);
});

test("beside the baseline a variant comes first, and the baseline alone", () => {
  const [only] = parseSuite(small, "small.json").cases;
  const names = (variant: string) => besideBaseline(only!, variant).variants.map(({ name }) => name);
  expect(names("sparse")).toEqual(["sparse", "dense"]);
  expect(names("dense")).toEqual(["dense"]);
});

test("operations have a shape, and a variant what its paper says", () => {
  const paper = { millisecondsPerToken: 160, overDense: 1 };
  const op = {
    name: "g",
    phase: "op",
    op: "gather",
    variants: [{ name: "few", shape: { rows: 9, width: 2, taken: 3 } }],
  };
  const dense = { name: "d", phase: "decode", variants: [{ name: "dense", model: {}, paper }] };
  const { cases } = parseSuite({ ...small, source: "a paper", cases: [op, dense] }, "small.json");
  expect(cases[0]).toMatchObject({ op: "gather", variants: [{ shape: { rows: 9, width: 2, taken: 3 } }] });
  expect(cases[1]).toMatchObject({ variants: [{ paper }] });
});

const change = (fields: object) => ({ ...small, cases: [{ ...small.cases[0], ...fields }] });

test.each([
  [{ ...small, cases: [] }, "x.json: cases must be a list with at least one entry"],
  [{ name: "x", title: "x" }, 'x.json has no "cases"'],
  [{ ...small, rows: 1 }, 'unknown field "rows"'],
  [change({ phase: "sleep" }), 'phase must be one of train, prefill, decode, layer, op, not "sleep"'],
  [change({ measure: { rounds: 0 } }), "rounds must be a whole number of at least 1, not 0"],
  [change({ measure: { round: 3 } }), 'unknown field "round"'],
  [
    change({ variants: [...small.cases[0]!.variants, { name: "dense", model: {} }] }),
    'two variants are called "dense"',
  ],
  [change({ quick: 3 }), "quick must be an object"],
  [
    change({ variants: [{ name: "dense", model: {}, paper: { overDense: "2" } }] }),
    "overDense must be a number above 0",
  ],
  [change({ op: "gather" }), 'op belongs to the phase "op"'],
  [change({ phase: "op", model: undefined, op: "guess" }), "op must be one of matrix product, "],
  [change({ phase: "op" }), 'the phase "op" has no model'],
  [
    change({ phase: "op", model: undefined, op: "gather", variants: [{ name: "few", shape: { rows: 9, width: 2 } }] }),
    'shape has no "taken"',
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
