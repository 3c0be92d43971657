import { catalogs, type FeedForwardConfig, type ModelConfig, type Option, type Options } from "@finegrain/nn";
import { modelDefaults } from "@finegrain/runs/defaults";
import type { Flag, Flags } from "../../arguments.ts";
import type { FlagGroup } from "../../command.ts";
import { UsageError } from "../../exit.ts";

/*
 * The flags of a model's layers: all of them follow from nn's catalogs, so that a layer that is added there has its flags, and
 * help for them, here.
 */

type Field = keyof typeof catalogs;

/** How the layers that one field of a config chooses among appear on the command line. */
interface Family {
  readonly title: string;
  /** The flag that names the layer. */
  readonly flag: string;
  readonly help: string;
  /** What stands before the names of options. */
  readonly prefix: string;
  /** Other names of layers. */
  readonly aliases?: Readonly<Record<string, string>>;
}

const families: Readonly<Record<Field, Family>> = {
  feedForward: {
    title: "Feed-forward layers",
    flag: "feed-forward",
    help: "sparse models: which feed-forward (default sparse)",
    prefix: "",
  },
  attention: {
    title: "Attention",
    flag: "attention",
    help: "sparse models: which attention; sparse is multiplicative-convolutional (default dense)",
    prefix: "attention-",
    aliases: { sparse: "multiplicative-convolutional" },
  },
  loss: {
    title: "Loss layers",
    flag: "loss",
    help: "sparse models: which loss layer (default dense)",
    prefix: "loss-",
  },
  positions: {
    title: "Positions",
    flag: "positions",
    help: `how positions enter (default ${modelDefaults.positions})`,
    prefix: "positions-",
  },
  norm: { title: "Norms", flag: "norm", help: "the norm of every block (default layer)", prefix: "norm-" },
};
const fields = Object.keys(families) as readonly Field[];

interface Layer {
  readonly name: string;
  readonly summary: string;
  readonly options: Options;
}
const layersOf = (field: Field): readonly Layer[] => Object.values(catalogs[field]);

/** `groupSize` as `group-size`, and `shareQK` as `share-qk`. */
const kebab = (name: string) => name.replace(/([a-z])([A-Z])/g, "$1-$2").toLowerCase();
const flagOf = (field: Field, name: string, { flag }: Option): string | null =>
  flag === undefined ? families[field].prefix + kebab(name) : flag;
/** A layer's options that have flags: flag, name in a config, option. */
const flagged = (field: Field, { options }: Layer): [flag: string, name: string, option: Option][] =>
  Object.entries(options).flatMap(([name, option]) => {
    const flag = flagOf(field, name, option);
    return flag === null ? [] : [[flag, name, option]];
  });

/** The flags of these kinds of layers, of every kind by default, as help shows them. */
export const layerFlags = (of: readonly Field[] = fields): FlagGroup[] =>
  of.map((field) => {
    const { title, flag, help, aliases = {} } = families[field];
    const layers = layersOf(field);
    const choices = [...layers.map(({ name }) => name), ...Object.keys(aliases)];
    return {
      title,
      notes: layers.map(({ name, summary }) => [name, summary.replaceAll("`", "")] as const),
      flags: { [flag]: { type: "choice", choices, help }, ...optionFlags(field) },
    };
  });

function optionFlags(field: Field): Flags {
  const uses = new Map<string, { option: Option; help: Map<string, string[]> }>();
  for (const layer of layersOf(field))
    for (const [flag, , option] of flagged(field, layer)) {
      const use = uses.get(flag) ?? { option, help: new Map<string, string[]>() };
      const words = optionHelp(option);
      const owners = use.help.get(words) ?? [];
      use.help.set(words, owners.includes(layer.name) ? owners : [...owners, layer.name]);
      uses.set(flag, use);
    }
  return Object.fromEntries(
    [...uses].map(([flag, { option, help }]) => {
      const said = [...help].map(([words, owners]) => `${owners.join(", ")}: ${words}`).join("; ");
      return [flag, asFlag(option, said)];
    }),
  );
}

function optionHelp({ doc, default: usual, otherwise }: Option): string {
  const without = otherwise ?? (usual === true ? "yes" : usual === false ? "no" : usual);
  return without === undefined ? doc : `${doc} (default ${without})`;
}

function asFlag({ kind, choices, least }: Option, help: string): Flag {
  if (kind === "whole") return { type: "whole", value: "N", help, ...(least !== undefined && { least }) };
  if (kind === "number") return { type: "number", value: "X", help };
  return { type: "choice", choices: kind === "boolean" ? ["yes", "no"] : (choices ?? []), help };
}

type Values = Readonly<Record<string, unknown>>;

/** What is known of the model and its training where layers are chosen. */
interface Known {
  readonly dModel: number;
  readonly heads: number;
  readonly batch: number;
}

const given = (flags: Values, field: Field): string[] =>
  [families[field].flag, ...layersOf(field).flatMap((layer) => flagged(field, layer).map(([flag]) => flag))].filter(
    (flag) => flags[flag] !== undefined,
  );

/**
 * The layers that flags ask for. Without a flag about its sparse parts a model is as its config file says, and without a file its
 * feed-forward layer is sparse.
 *
 * @throws UsageError where a flag is not one of the layer's.
 */
export function layersFromFlags(flags: Values, known: Known, hasFile: boolean): Partial<ModelConfig> {
  const own = (field: Field, usual: string) => part(field, flags, known, usual);
  const sides = (["positions", "norm"] as const)
    .filter((field) => given(flags, field).length > 0)
    .map((field) => [field, nameAlone(own(field, field === "norm" ? "layer" : modelDefaults.positions))]);
  return { ...Object.fromEntries(sides), ...sparseParts(flags, own, hasFile) } as Partial<ModelConfig>; // as the catalogs have it
}

/** The feed-forward layer that flags ask for. @throws UsageError where a flag is not one of the layer's. */
export const feedForwardFromFlags = (flags: Values, known: Known): FeedForwardConfig =>
  part("feedForward", flags, known, "sparse") as unknown as FeedForwardConfig; // as the catalog has it

/** A part without options as its name, which is how these fields are usually written. */
const nameAlone = (chosen: Values): unknown => (Object.keys(chosen).length === 1 ? chosen.type : chosen);

function sparseParts(flags: Values, own: (field: Field, usual: string) => unknown, hasFile: boolean): Values {
  const asked = (["feedForward", "attention", "loss"] as const).flatMap((field) => given(flags, field));
  if (flags.model === "dense") {
    const dense = flagged("feedForward", catalogs.feedForward.dense).map(([flag]) => flag);
    const extra = asked.find((flag) => !dense.includes(flag));
    if (extra !== undefined) throw new UsageError(`--${extra} belongs to a sparse model, not to --model dense`);
    return { feedForward: own("feedForward", "dense"), attention: { type: "dense" }, loss: { type: "dense" } };
  }
  if (hasFile && flags.model === undefined && asked.length === 0) return {};
  const cutsLoss = Number(flags["loss-sparsity"] ?? 1) > 1;
  return {
    feedForward: own("feedForward", flags.model === "encoder-decoder" ? "dense" : "sparse"),
    attention: own("attention", flags["qkv-sparsity"] === undefined ? "dense" : "multiplicative-convolutional"),
    loss: flags["loss-sparsity"] === 1 ? { type: "dense" } : own("loss", cutsLoss ? "multiplicative" : "dense"),
  };
}

function part(field: Field, flags: Values, known: Known, usual: string): Values {
  const { flag: name, aliases = {} } = families[field];
  const asked = String(flags[name] ?? usual);
  const type = aliases[asked] ?? asked;
  // Flags were read by the names of the catalog.
  const layer = layersOf(field).find((candidate) => candidate.name === type)!;
  const has = flagged(field, layer);
  const extra = given(flags, field).find((flag) => flag !== name && !has.some(([own]) => own === flag));
  if (extra !== undefined) throw new UsageError(`--${extra} does not belong to --${name} ${asked}`);
  const chosen: Record<string, number> = {};
  const options: Record<string, unknown> = {};
  for (const [flag, option, { kind, suggest }] of has) {
    const said = kind === "boolean" && flags[flag] !== undefined ? flags[flag] === "yes" : flags[flag];
    const value = said ?? suggest?.({ ...known, chosen });
    if (value === undefined) continue;
    options[option] = value;
    if (typeof value === "number") chosen[option] = value;
  }
  return { type, ...options };
}
