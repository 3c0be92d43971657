/** Lengths that are tried: with the token before them, runs of as many tokens as products take at a time. 0 is to write without a draft. */
const LENGTHS = [3, 1, 7, 0] as const;

/** How much of what was known before a round still counts after it. */
const MEMORY = 0.9;

/** Rounds after which the length that looked best is left once for the next longer one: texts change. */
const LOOK_AGAIN = 24;

/** What a round of so many drafted tokens came to. */
export interface Round {
  readonly length: number;
  /** Of those, how many the model itself would have written. */
  readonly accepted: number;
  /** With drafts of the round; of a length of 0 those of one token. */
  readonly seconds: number;
  /** The room of caches: the first round of a length with it is left out, which graphs are compiled in. */
  readonly room: string;
}

/**
 * How many tokens to draft before they are checked: as many as give most tokens a second, by the time that rounds took and the share of
 * drafted tokens that was right. Where a, that share, is the same for each, a round of n gives (1 - aⁿ⁺¹) / (1 - a) tokens: Leviathan et al.
 * 2023, "Fast Inference from Transformers via Speculative Decoding", equation 1.
 */
export class DraftLength {
  readonly #seconds = new Map<number, number>();
  readonly #rooms = new Set<string>();
  #right = 0;
  #checked = 0;
  #rounds = 0;

  /** The length of the next round, at most `most`. */
  next(most = Number.POSITIVE_INFINITY): number {
    const lengths = LENGTHS.filter((length) => length <= most);
    const untried = lengths.find((length) => !this.#seconds.has(length));
    if (untried !== undefined) return untried;
    const best = lengths.reduce((one, other) => (this.#speed(other) > this.#speed(one) ? other : one));
    const longer = lengths.filter((length) => length > best);
    return this.#rounds % LOOK_AGAIN === 0 && longer.length > 0 ? Math.min(...longer) : best;
  }

  push({ length, accepted, seconds, room }: Round): void {
    const place = `${length} in ${room}`;
    if (!this.#rooms.has(place)) {
      this.#rooms.add(place);
      return;
    }
    const before = this.#seconds.get(length);
    this.#seconds.set(length, before === undefined ? seconds : MEMORY * before + (1 - MEMORY) * seconds);
    this.#rounds++;
    if (length === 0) return;
    // Behind the first token that is wrong nothing is known of the others.
    this.#right = MEMORY * this.#right + accepted;
    this.#checked = MEMORY * this.#checked + Math.min(length, accepted + 1);
  }

  /** Tokens a second that a length is expected to give. */
  #speed(length: number): number {
    const share = this.#checked === 0 ? 0 : this.#right / this.#checked;
    const tokens = share === 1 ? length + 1 : (1 - share ** (length + 1)) / (1 - share);
    return tokens / this.#seconds.get(length)!; // all were tried
  }
}
