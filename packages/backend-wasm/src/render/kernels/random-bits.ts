import type { RandomBitsKernel } from "@finegrain/codegen";
import type { Code, Local } from "../../assembler/code.ts";
import { type Opening, WORD } from "../kernel.ts";
import type { Division } from "../loops/loop-renderer.ts";

const MULTIPLIERS = [0xd2511f53, 0xcd9e8d57] as const;
const WEYL = [0x9e3779b9, 0xbb67ae85] as const;
const ROUNDS = 10;

/** Philox 4x32-10 as `philox` of @finegrain/graph has it: four words for every value of the counter. */
export function renderRandomBits({ key, counter, to }: RandomBitsKernel, opening: Opening): Division {
  const { code, pointers, begin, end } = opening;
  const block = code.local("pointer");
  const words = [0, 1, 2, 3].map(() => code.local("i32")) as [Local, Local, Local, Local];
  const keys = [0, 1].map(() => code.local("i32")) as [Local, Local];
  const units = Math.ceil(to.size / 4);
  code.count(block, { from: () => code.get(begin), to: () => code.get(end) }, () => {
    code.get(block);
    if (code.wide) code.do("i32.wrap_i64");
    code.set(words[0]);
    for (const k of [0, 1] as const) {
      code
        .get(pointers.get(counter)!)
        .access("i32.load", WORD * k)
        .set(words[k + 1]!);
      code
        .get(pointers.get(key)!)
        .access("i32.load", WORD * k)
        .set(keys[k]);
    }
    code.i32(0).set(words[3]);
    for (let round = 0; round < ROUNDS; round++) philoxRound(code, words, keys);
    for (const [k, word] of words.entries()) storeWord(code, { at: pointers.get(to)!, block, word, k, size: to.size });
  });
  return { units, grain: 4, rows: 1 };
}

function philoxRound(code: Code, words: readonly [Local, Local, Local, Local], keys: readonly [Local, Local]): void {
  const products = [code.local("i64"), code.local("i64")] as const;
  MULTIPLIERS.forEach((multiplier, k) => {
    code
      .i64(multiplier)
      .get(words[2 * k]!)
      .do("i64.extend_i32_u", "i64.mul")
      .set(products[k]!);
  });
  const high = (k: 0 | 1) => code.get(products[k]).i64(32).do("i64.shr_u", "i32.wrap_i64");
  high(1).get(words[1]).do("i32.xor").get(keys[0]).do("i32.xor").set(words[0]);
  high(0).get(words[3]).do("i32.xor").get(keys[1]).do("i32.xor").set(words[2]);
  code.get(products[1]).do("i32.wrap_i64").set(words[1]).get(products[0]).do("i32.wrap_i64").set(words[3]);
  keys.forEach((local, k) => {
    code.get(local).i32(WEYL[k]!).do("i32.add").set(local);
  });
}

/** The last block may have words beyond the end. */
function storeWord(
  code: Code,
  { at, block, word, k, size }: { at: Local; block: Local; word: Local; k: number; size: number },
): void {
  const store = () =>
    void code
      .get(at)
      .get(block)
      .address(4 * WORD)
      .pointerOp("mul")
      .pointerOp("add")
      .get(word)
      .access("i32.store", WORD * k);
  if (size % 4 === 0 || k < size % 4) {
    store();
    return;
  }
  code
    .get(block)
    .address(Math.floor(size / 4))
    .pointerOp("lt_u")
    .if(store);
}
