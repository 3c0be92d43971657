import { FinegrainError, shownJson, type Turns } from "@finegrain/graph";
import type { Fields } from "./fields.ts";
import type { Ids } from "./ids.ts";
import { byteTokens, type Model, noToken } from "./model.ts";
import { characterLength } from "./pattern.ts";
import { trieOf } from "./trie.ts";
import { rememberingWords } from "./word-cache.ts";

/** How much less likely than the least likely token a character is that is none, in nats. */
const UNKNOWN_PENALTY = 10;
const NONE = -1;

/** The most likely split into tokens under a unigram language model (Kudo 2018). */
export function unigram(fields: Fields): Model {
  const { what } = fields;
  const entries = fields.list("vocab").map((entry) => scoredToken(entry, what));
  const vocabulary = new Map(entries.map(([token], id) => [token, id]));
  const scores = Float64Array.from(entries, ([, score]) => score);
  const unknown = fields.value.unk_id == null ? NONE : fields.count("unk_id");
  if (unknown >= entries.length)
    throw new FinegrainError(`${what} has the unk_id ${unknown}, but only ${entries.length} tokens`);
  const unknownScore = scores.reduce((least, score) => Math.min(least, score), Infinity) - UNKNOWN_PENALTY;
  const bytesOf = fields.flag("byte_fallback", false) ? byteTokens(vocabulary) : () => undefined;
  const trie = trieOf(vocabulary);

  const pushUnknown = (text: string, ids: Ids) => {
    const id = vocabulary.get(text);
    if (id !== undefined) return ids.push(id);
    const bytes = bytesOf(text);
    if (bytes === undefined) ids.push(unknown);
    else bytes.forEach(ids.push);
  };
  const pushPath = (text: string, path: readonly Step[], ids: Ids) => {
    for (let k = 0; k < path.length; k++) {
      const { start, id } = path[k]!;
      if (id !== unknown) {
        ids.push(id);
        continue;
      }
      while (path[k + 1]?.id === unknown) k++; // unknown characters in a row are one
      pushUnknown(text.slice(start, path[k]!.end), ids);
    }
  };

  /*
   * Viterbi from left to right. Where no token goes on, and none that is unknown ends, the path so far is certain: it is
   * given out, so that a long text needs no more room than its longest stretch without such a place.
   */
  function* tokenize(text: string, ids: Ids): Turns<void> {
    const path = newPath();
    let reached = 0;
    for (let at = 0; at < text.length; ) {
      const after = at + characterLength(text, at);
      let single = false;
      trie.prefixes(text, at, (end, id) => {
        path.offer(at, end, scores[id]!, id);
        reached = Math.max(reached, end);
        single ||= end === after;
      });
      if (!single && path.offer(at, after, unknownScore, unknown) && unknown === NONE)
        throw noToken(what, text.slice(at, after));
      at = after;
      reached = Math.max(reached, at);
      if (at === text.length || (reached === at && path.idAt(at) !== unknown)) pushPath(text, path.takeUpTo(at), ids);
      yield;
    }
  }
  return { vocabulary, size: entries.length, tokenize: rememberingWords(tokenize) };
}

function scoredToken(entry: unknown, what: string): readonly [token: string, score: number] {
  if (Array.isArray(entry) && typeof entry[0] === "string" && typeof entry[1] === "number") return [entry[0], entry[1]];
  throw new FinegrainError(`${what} has ${shownJson(entry)} in its vocab, which is no pair of a token and a score`);
}

/** One token on the best path. */
interface Step {
  readonly start: number;
  readonly end: number;
  readonly id: number;
}

/** The best paths to every place of a text that still matter, by their last step. */
function newPath() {
  let base = 0; // the place that the arrays begin with
  let scores = new Float64Array(64);
  let starts = new Int32Array(64).fill(NONE);
  let ids = new Int32Array(64);
  let last = 0;
  const reserve = (length: number) => {
    if (length <= starts.length) return;
    const size = Math.max(length, 2 * starts.length);
    const [oldScores, oldStarts, oldIds] = [scores, starts, ids];
    scores = new Float64Array(size);
    starts = new Int32Array(size).fill(NONE);
    ids = new Int32Array(size);
    scores.set(oldScores);
    starts.set(oldStarts);
    ids.set(oldIds);
  };
  return {
    /** A token from `start` to `end`; whether it is the best to there so far. */
    offer(start: number, end: number, score: number, id: number): boolean {
      const to = end - base;
      reserve(to + 1);
      const whole = score + scores[start - base]!;
      if (starts[to] !== NONE && whole <= scores[to]!) return false;
      scores[to] = whole;
      starts[to] = start;
      ids[to] = id;
      last = Math.max(last, to);
      return true;
    },
    idAt: (end: number): number => ids[end - base]!,
    /** The steps up to `end`, which are forgotten; the score there stays. */
    takeUpTo(end: number): Step[] {
      const steps: Step[] = [];
      for (let at = end; at > base; at = steps.at(-1)!.start)
        steps.push({ start: starts[at - base]!, end: at, id: ids[at - base]! });
      scores[0] = scores[end - base]!;
      starts.fill(NONE, 0, last + 1);
      base = end;
      last = 0;
      return steps.reverse();
    },
  };
}
