import type { RandomBitsKernel } from "@finegrain/codegen";
import { loopEnd, type Opening, type RenderedKernel, share } from "./kernel.ts";

/** Philox 4x32-10 as `philox` of @finegrain/graph has it: four words for every value of the counter. */
export function renderRandomBits({ key, counter, to }: RandomBitsKernel, opening: Opening): RenderedKernel {
  const { name, bindings, target } = opening;
  const word = (from: typeof key, k: number) => `bitcast<u32>(${bindings.load(from, `${k}u`)})`;
  const text = `fn ${name}(first: u32, last: u32, lane: u32, zero: u32) {
  for (var item = first + lane; item < last; item += ${target.lanes}u) {
    var words = vec4u(item, ${word(counter, 0)}, ${word(counter, 1)}, 0u);
    var keys = vec2u(${word(key, 0)}, ${word(key, 1)});
    for (var round = 0u; round < ${loopEnd(10, target)}; round++) {
      let high = vec2u(multiply_high(0xd2511f53u, words.x), multiply_high(0xcd9e8d57u, words.z));
      words = vec4u(high.y ^ words.y ^ keys.x, 0xcd9e8d57u * words.z, high.x ^ words.w ^ keys.y, 0xd2511f53u * words.x);
      keys += vec2u(0x9e3779b9u, 0xbb67ae85u);
    }
    for (var k = 0u; k < 4u && 4u * item + k < ${to.size}u; k++) { ${bindings.store(to, "4u * item + k", "bitcast<i32>(words[k])")} }
  }
}`;
  const items = Math.ceil(to.size / 4);
  return { text, items, each: share(items, target.lanes, target) };
}

/** The high 32 bits of a product, from products of 16 bits: WGSL has no more. */
export const multiplyHigh = `fn multiply_high(a: u32, b: u32) -> u32 {
  let low_high = (a & 0xffffu) * (b >> 16u);
  let high_low = (a >> 16u) * (b & 0xffffu);
  let middle = (((a & 0xffffu) * (b & 0xffffu)) >> 16u) + (low_high & 0xffffu) + (high_low & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (low_high >> 16u) + (high_low >> 16u) + (middle >> 16u);
}`;
