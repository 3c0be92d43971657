import { Code } from "../assembler/code.ts";
import { control } from "../control.ts";
import type { Target } from "./kernel.ts";

/**
 * Looks at the generation before a thread goes to sleep: some hundred microseconds, since to be woken takes about as long as a small kernel. Where that was
 * in vain the others seem to wait for this processor, and the next ones are short: each takes time from who is waited for.
 */
const SPINS = { long: 100_000, short: 5_000 };
/** So many in a row, before a long one is tried again. */
const SHORT_WAITS = 8;
/** A thread that sleeps looks after so many nanoseconds whether another one failed. */
const PATIENCE = 1e9;

/**
 * Waits until every thread is here. The last to come goes on at once, with 1 as the result: it may do what only one has to, and then lets the others
 * go, whose result is 0. Those that wait look at a counter for a while, and then sleep, unless their parameter says that they must not (a
 * page's main thread).
 */
export function arriveFunction({ wide, threads }: Target): Code {
  const code = new Code(["i32"], wide, "i32");
  const maySleep = code.parameter(0);
  const [generation, spins, short] = [code.local("i32"), code.local("i32"), code.local("i32")];
  const word = (name: keyof typeof control) => code.address(control[name]);
  const passed = () => {
    word("generation").atomic("i32.atomic.load").get(generation).do("i32.ne");
  };
  const unlessFailed = () => {
    word("failed")
      .atomic("i32.atomic.load")
      .if(() => code.do("unreachable"));
  };
  word("generation").atomic("i32.atomic.load").set(generation);
  word("arrived")
    .i32(1)
    .atomic("i32.atomic.rmw.add")
    .i32(threads - 1)
    .do("i32.eq");
  code.if(() => code.i32(1).do("return"));
  const setShort = (waits: () => unknown) => {
    word("shortWaits");
    waits();
    code.atomic("i32.atomic.store");
  };
  word("shortWaits").atomic("i32.atomic.load").set(short);
  code.loop(() => {
    code.i32(SPINS.short).i32(SPINS.long).get(short).do("select").set(spins);
    code.loop(() => {
      passed();
      code.if(() => {
        code.get(short).if(() => setShort(() => code.i32(0)));
        code.i32(0).do("return");
      });
      code.get(spins).i32(1).do("i32.sub").tee(spins).branchIf(0);
    });
    unlessFailed();
    code.get(maySleep).do("i32.eqz").branchIf(0);
  });
  setShort(() => code.get(short).i32(1).do("i32.sub").i32(SHORT_WAITS).get(short).do("select"));
  word("sleeping").i32(1).atomic("i32.atomic.rmw.add").do("drop");
  code.block(() =>
    code.loop(() => {
      passed();
      code.branchIf(1);
      unlessFailed();
      word("generation").get(generation).i64(PATIENCE).atomic("memory.atomic.wait32").do("drop").branch(0);
    }),
  );
  word("sleeping").i32(1).atomic("i32.atomic.rmw.sub").do("drop");
  code.i32(0);
  return code;
}

/** Lets those go that wait: for the last that arrived. */
export function releaseFunction({ wide, threads }: Target): Code {
  const code = new Code([], wide);
  const word = (name: keyof typeof control) => code.address(control[name]);
  word("arrived").i32(0).atomic("i32.atomic.store");
  word("generation").i32(1).atomic("i32.atomic.rmw.add").do("drop");
  word("sleeping")
    .atomic("i32.atomic.load")
    .if(() => word("generation").i32(threads).atomic("memory.atomic.notify").do("drop"));
  return code;
}
