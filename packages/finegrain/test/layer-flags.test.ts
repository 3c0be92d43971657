import { catalogs } from "@finegrain/nn";
import { modelDefaults, trainingDefaults } from "@finegrain/runs/defaults";
import { describe, expect, test } from "vitest";
import { readArguments } from "../src/arguments.ts";
import { train, trainFlags } from "../src/commands/train/flags.ts";
import { layerFlags } from "../src/commands/train/layer-flags.ts";
import { optionsFromFlags } from "../src/commands/train/train-flags.ts";
import { commandHelp } from "../src/help.ts";

const groups = layerFlags();
const all: typeof trainFlags = Object.assign({}, trainFlags, ...groups.map(({ flags }) => flags));
/** The model that a command line asks for. */
const model = (...args: string[]) => {
  const { model: of, training } = optionsFromFlags(readArguments(args, all, []).values, {});
  return of({ ...modelDefaults, ...trainingDefaults, batch: training.batch ?? trainingDefaults.batch });
};

describe("flags become a config", () => {
  test.each([
    [[], { type: "sparse", blockSize: 8, rank: 32 }],
    [["--block-size", "8", "--rank", "4"], { type: "sparse", blockSize: 8, rank: 4 }],
    [["--block-size", "64"], { type: "sparse", blockSize: 64, rank: 32 }],
    [["--feed-forward", "grouped"], { type: "grouped", experts: 8, groupSize: 8 }],
    [["--feed-forward", "grouped", "--batch", "2"], { type: "grouped", experts: 2, groupSize: 2 }],
    [
      ["--feed-forward", "mixture-of-tokens", "--group-along", "time", "--group-size", "4"],
      { type: "mixture-of-tokens", experts: 4, groupSize: 4, groupAlong: "time" },
    ],
    [
      ["--feed-forward", "expert-choice", "--capacity", "2", "--layer-norm", "no"],
      { type: "expert-choice", experts: 8, groupSize: 8, capacityFactor: 2, layerNorm: false },
    ],
    [
      ["--feed-forward", "token-choice", "--top-k", "2", "--capacity", "1.5"],
      { type: "token-choice", experts: 8, k: 2, capacityFactor: 1.5 },
    ],
    [["--feed-forward", "switch", "--experts", "4"], { type: "switch", experts: 4 }],
    [["--feed-forward", "dense", "--activation", "gelu"], { type: "dense", activation: "gelu" }],
    [["--model", "dense"], { type: "dense" }],
  ])("%j", (args, feedForward) => {
    expect(model(...args)).toMatchObject({ feedForward, attention: { type: "dense" }, loss: { type: "dense" } });
    expect(Object.keys(model(...args).feedForward!).sort()).toEqual(Object.keys(feedForward).sort());
  });

  test.each([
    [["--attention", "sparse"], { modules: 4, kernel: 3, lengthKernel: 3 }],
    [["--qkv-sparsity", "2", "--kernel", "5"], { modules: 2, kernel: 5, lengthKernel: 5 }],
  ])("%j", (args, options) => {
    expect(model(...args).attention).toEqual({ type: "multiplicative-convolutional", ...options });
  });

  test.each([
    [["--loss-sparsity", "4"], { type: "multiplicative", modules: 4 }],
    [["--loss-sparsity", "1"], { type: "dense" }],
    [["--loss", "low-rank", "--loss-rank", "8"], { type: "low-rank", rank: 8 }],
  ])("%j", (args, loss) => {
    expect(model(...args).loss).toEqual(loss);
  });

  test("positions and norm", () => {
    expect(model()).not.toHaveProperty("positions");
    expect(model("--positions", "rotary", "--norm", "rms")).toMatchObject({
      positions: "rotary",
      norm: "rms",
    });
  });
});

test.each([
  [["--feed-forward", "sparse", "--experts", "4"], "--experts does not belong to --feed-forward sparse"],
  [["--model", "dense", "--block-size", "4"], "--block-size belongs to a sparse model, not to --model dense"],
  [["--attention", "dense", "--kernel", "3"], "--kernel does not belong to --attention dense"],
])("%j is refused", (args, sentence) => {
  expect(() => model(...args)).toThrow(sentence);
});

test("help names every layer and what it does", async () => {
  const help = await commandHelp(train);
  for (const catalog of Object.values(catalogs))
    for (const { name } of Object.values(catalog)) expect(help).toMatch(new RegExp(`^  ${name} +\\S`, "m"));
});

test("a layer's flag is never another flag's name", () => {
  const names = [trainFlags, ...groups.map(({ flags }) => flags)].flatMap((flags) => Object.keys(flags));
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});
