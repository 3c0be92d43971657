import { byteTokenizer } from "@finegrain/generate";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Wrote } from "../protocol.ts";
import { Racer, race } from "./race.ts";
import type { ReadToken } from "./watched-model.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A device that does one thing after the other. */
class Device {
  #last: Promise<void> = Promise.resolve();

  run(milliseconds: number): Promise<void> {
    this.#last = this.#last.then(() => new Promise((resolve) => setTimeout(resolve, milliseconds)));
    return this.#last;
  }

  readonly idle = (): Promise<void> => this.#last;
}

/** A model whose next step is under way when a token is read, as those of the page are. */
async function* tokens(device: Device, milliseconds: number): AsyncGenerator<ReadToken, never, undefined> {
  let step = device.run(milliseconds);
  for (let at = 0; ; at++) {
    const made = step;
    step = device.run(milliseconds);
    await made;
    yield { token: 97, isPrompt: at === 0, units: undefined };
  }
}

/** What the models told last, where a step of each takes so many milliseconds. */
async function raced(milliseconds: readonly number[], maxTokens: number): Promise<Wrote[]> {
  const device = new Device();
  const last: Wrote[] = [];
  const racers = milliseconds.map(
    (each, place) =>
      new Racer(place, tokens(device, each), byteTokenizer(), maxTokens, (wrote) => {
        last[place] = wrote;
      }),
  );
  const racing = race(racers, device.idle, new AbortController().signal);
  await vi.runAllTimersAsync();
  await racing;
  return last;
}

test.each([[[400, 100]], [[100, 400]], [[2, 30]]])(
  "models whose steps take %s ms are each as fast as they are alone",
  async (milliseconds) => {
    const told = await raced(milliseconds, 40);
    for (const [place, { written, seconds }] of told.entries()) {
      expect(written).toBe(40);
      expect((1000 * seconds) / written / milliseconds[place]!).toBeCloseTo(1, 0.7);
    }
  },
);
