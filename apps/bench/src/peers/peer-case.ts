import type { Backend } from "@finegrain/graph";
import { hiddenUnits, type ModelConfig, type SizedConfig, type Storage } from "@finegrain/nn";
import { opFigures } from "../cases/op-case.ts";
import { preparations } from "../cases/prepare-case.ts";
import { WeightPool } from "../cases/random-weights.ts";
import { type Prepared, tokenSpeed } from "../cases/variant.ts";
import type { Contestant } from "../measure/method.ts";
import { median } from "../measure/statistics.ts";
import { errorSentence } from "../results/error-sentence.ts";
import type { Result } from "../results/result.ts";
import { failed, type MeasuredCase, results } from "../results/results.ts";
import { BASELINE, type Case, type ModelCase, type ModelJson, type OpCase } from "../suites/suite.ts";
import { isDense } from "./dense-model.ts";
import type { OpenPeers } from "./open.ts";
import { isAbsence, type Peer, type PeerModel, type PeerSession } from "./peer.ts";

type Measured = Omit<MeasuredCase, "backend" | "variants" | "failures">;

/** The peers' variants of one case, ready to take turns with ours. */
export interface PeerCase extends AsyncDisposable {
  readonly contestants: readonly Contestant[];
  /** A line for every variant that a peer has, with its ratio to our dense one; one for a peer that has none. */
  results(measured: Measured): Result[];
}

interface PeerCaseOptions {
  /** Of models that do not say. */
  readonly storage: Storage;
  readonly signal?: AbortSignal | undefined;
  report(activity: string, done: number, of: number): void;
}

/** Let every peer make ready what it has of a case. */
export async function preparePeers(
  peers: Pick<OpenPeers, "all">,
  entry: Case,
  options: PeerCaseOptions,
): Promise<PeerCase> {
  const parts: PeerCase[] = [];
  for (const { peer, opened } of peers.all) {
    if (options.signal?.aborted) break;
    parts.push(isAbsence(opened) ? absent(peer, opened.reason) : await preparePeer(peer, opened, entry, options));
  }
  return {
    contestants: parts.flatMap(({ contestants }) => contestants),
    results: (measured) => parts.flatMap((part) => part.results(measured)),
    async [Symbol.asyncDispose]() {
      for (const part of parts) await part[Symbol.asyncDispose]();
    },
  };
}

/** A case of which a peer runs nothing: a line that says why, in the place of its dense variant. */
function absent({ name }: Peer, reason: string): PeerCase {
  const backend = { name, device: { kind: "none", description: "none", provider: "none" } };
  return {
    contestants: [],
    results({ suite, entry }) {
      const { variants } = entry;
      const missed = variants.find((variant) => variant.name === BASELINE) ?? variants[0]!; // no case is empty
      const lines = failed(suite, { ...entry, variants: [missed] }, backend, reason);
      return lines.map((line) => ({ ...line, absent: true }));
    },
    async [Symbol.asyncDispose]() {},
  };
}

async function preparePeer(peer: Peer, session: PeerSession, entry: Case, options: PeerCaseOptions): Promise<PeerCase> {
  // Samples of a run have one name each, and "dense" is ours.
  const prefix = `${session.name}: `;
  const variants: Prepared[] = [];
  const failures = new Map<string, string>();
  const pool = session.backend && new WeightPool(session.backend);
  const ready = preparationsOf(session, entry, options.storage, pool);
  for (const [i, prepare] of ready.entries()) {
    if (options.signal?.aborted) break;
    const name = prefix + entry.variants[i]!.name; // one preparation each
    options.report(`preparing ${name}`, i, ready.length);
    try {
      const variant = await prepare(name);
      if (variant) variants.push(variant);
    } catch (error) {
      failures.set(name, errorSentence(error));
    }
  }
  if (variants.length + failures.size === 0) return absent(peer, `has no variant of this case (${peer.scope})`);
  const names = [...variants.map(({ name }) => name), ...failures.keys()];
  return {
    contestants: variants.flatMap(({ contestants }) => contestants),
    results(measured) {
      const lines = { ...measured.entry, variants: names.map((name) => ({ name })) };
      const own = results({ ...measured, entry: lines, backend: session, variants, failures });
      return own.map((result) => ({ ...result, variant: result.variant.slice(prefix.length) }));
    },
    async [Symbol.asyncDispose]() {
      for (const variant of variants) await variant[Symbol.asyncDispose]();
      pool?.[Symbol.dispose]();
    },
  };
}

type Preparation = (name: string) => Promise<Prepared | undefined>;

/** For every variant of a case, in order, what makes the peer's ready. */
function preparationsOf(session: PeerSession, entry: Case, storage: Storage, pool: WeightPool | undefined) {
  if (pool) return ourOwn(session.backend!, pool, entry, storage); // the pool is its
  return entry.phase === "op" ? ops(session, entry) : models(session, entry, storage);
}

/** Our own variants on the peer's backend, where they are dense. */
const ourOwn = (backend: Backend, pool: WeightPool, entry: Case, storage: Storage): Preparation[] =>
  preparations(entry, { backend, pool, storage }).map((prepare, i) => async (name) => {
    if (entry.phase === "op") return prepare(name);
    const { model, storage: own = storage } = entry.variants[i]!; // one preparation each
    return isDense(configOf(model)) && own === "float32" ? prepare(name) : undefined;
  });

const ops = (session: PeerSession, { op, variants }: OpCase): Preparation[] =>
  variants.map(({ shape }) => async (name) => {
    const variant = await session.prepareOp?.({ op, shape });
    return (
      variant && {
        name,
        contestants: [{ name, round: () => variant.round() }],
        figures: (rounds, limits) => opFigures(op, shape, rounds.get(name)!.seconds, limits),
        [Symbol.asyncDispose]: () => variant[Symbol.asyncDispose](),
      }
    );
  });

const models = (session: PeerSession, entry: ModelCase, otherwise: Storage): Preparation[] =>
  entry.variants.map(({ model: json, storage = otherwise }) => async (name) => {
    const { phase, measure } = entry;
    if (phase === "decode" && measure.batch > 1) return undefined; // peers decode one text at a time
    const model = await session.prepareModel?.({ phase, config: configOf(json), measure, storage });
    return model && preparedModel(name, entry, model);
  });

function configOf(json: ModelJson): SizedConfig {
  const config = json as unknown as ModelConfig; // ours has been made of it, or has said why not
  return { ...config, dFf: hiddenUnits(config) };
}

/** A peer's model as one of ours. */
function preparedModel(variant: string, { phase, measure }: ModelCase, model: PeerModel): Prepared {
  const { differs, parameters, bytesPerToken, operationsPerToken = Number.NaN, products } = model;
  const name = differs === undefined ? variant : `${variant} (${differs})`;
  const alone = `${name}: its products alone`;
  const isGenerating = phase === "decode" || phase === "prefill";
  return {
    name,
    contestants: [
      { name, round: () => model.round() },
      ...(products ? [{ name: alone, round: () => products.round() }] : []),
    ],
    figures(rounds, { bandwidth, flopRate }) {
      const { seconds } = rounds.get(name)!;
      const ofProducts = products ? median(rounds.get(alone)!.seconds) : operationsPerToken / flopRate;
      const limit = bytesPerToken === null ? ofProducts : bytesPerToken / bandwidth;
      return {
        phase,
        ...tokenSpeed(seconds, isGenerating ? 1 : measure.batch * measure.length),
        parameters,
        bytesPerToken,
        rooflineShare: Number.isFinite(limit) ? limit / median(seconds) : 0,
        ...(isGenerating && { context: measure.prompt }),
      };
    },
    ...(products && {
      productRate: (rounds) => products.flops / median(rounds.get(alone)!.seconds),
    }),
    [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
  };
}
