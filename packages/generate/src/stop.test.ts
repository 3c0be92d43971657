import { FinegrainError } from "@finegrain/graph";
import fc from "fast-check";
import { expect, test } from "vitest";
import { stopSequences } from "./stop.ts";

/** The text shown for a text that comes in these pieces. */
function show(stops: readonly string[], pieces: readonly string[]): string {
  const watch = stopSequences(stops);
  let shown = "";
  for (const piece of pieces) {
    const { text, stopped } = watch.push(piece);
    shown += text;
    if (stopped) return shown;
  }
  return shown + watch.flush();
}

test("text is held back only while it may be part of a stop sequence", () => {
  const watch = stopSequences(["\n\nQ:"]);
  expect(watch.push("A: yes\n")).toEqual({ text: "A: yes", stopped: false });
  expect(watch.push("but")).toEqual({ text: "\nbut", stopped: false });
  expect(watch.push("\n\n")).toEqual({ text: "", stopped: false });
  expect(watch.push("Q: more")).toEqual({ text: "", stopped: true });
  expect(watch.push("ignored")).toEqual({ text: "", stopped: true });
  expect(watch.flush()).toBe("");
});

test("what is held back comes out at the end", () => expect(show(["END"], ["a E", "N"])).toBe("a EN"));

test("the first complete sequence ends the text, the longer of two", () => {
  expect(show(["abcd", "bc"], ["xabcd"])).toBe("xa");
  expect(show(["bc", "abc"], ["xabcd"])).toBe("x");
});

test("without stop sequences everything is shown at once", () => {
  expect(stopSequences([]).push("abc")).toEqual({ text: "abc", stopped: false });
});

test("the pieces make no difference, and no stop sequence is ever shown", () => {
  const letters = (minLength: number, maxLength: number) =>
    fc.string({ unit: fc.constantFrom("a", "b"), minLength, maxLength });
  fc.assert(
    fc.property(
      fc.array(letters(1, 4), { maxLength: 3 }),
      fc.array(letters(0, 5), { maxLength: 8 }),
      (stops, pieces) => {
        const shown = show(stops, pieces);
        const text = pieces.join("");
        expect(show(stops, [text])).toBe(shown);
        expect(show(stops, [...text])).toBe(shown);
        expect(text.startsWith(shown)).toBe(true);
        for (const stop of stops) expect(shown).not.toContain(stop);
        if (!stops.some((stop) => text.includes(stop))) expect(shown).toBe(text);
      },
    ),
  );
});

test("an empty stop sequence is refused", () => {
  expect(() => stopSequences(["a", ""])).toThrow(FinegrainError);
});
