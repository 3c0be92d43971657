import {
  bytesOf,
  type Expression,
  elementBytes,
  expressionsOf,
  isInArena,
  type MemoryPlan,
  type ProgramBuffer,
} from "@finegrain/codegen";
import type { Target } from "./target.ts";

/** What is bound at one place of a shader's bind group. */
export type Binding =
  /** A buffer of the program, or the part of it that one binding holds. */
  | { readonly kind: "buffer"; readonly buffer: ProgramBuffer; readonly offset: number; readonly bytes: number }
  /** The temporaries, or the part of their arena that one binding holds. */
  | { readonly kind: "arena"; readonly slab: number }
  /** Where the temporaries are: the offsets of `temporaries`, in elements. */
  | { readonly kind: "offsets" };

interface Named {
  readonly name: string;
  vector: boolean;
}

/** The buffers of one shader, and the functions that read and write them. */
export class Bindings {
  readonly #plan: MemoryPlan;
  readonly #written: ReadonlySet<ProgramBuffer>;
  readonly #target: Target;
  readonly #buffers = new Map<ProgramBuffer, Named>();
  readonly #temporaries = new Map<ProgramBuffer, Named>();

  constructor(plan: MemoryPlan, written: ReadonlySet<ProgramBuffer>, target: Target) {
    this.#plan = plan;
    this.#written = written;
    this.#target = target;
  }

  /** The value at an index: text of an f32, i32 or bool, or of the four that lie side by side at an index of fours. */
  load(buffer: ProgramBuffer, index: string, lanes: 1 | 4 = 1): string {
    const named = this.#named(buffer);
    if (lanes === 4) named.vector = true;
    return `${named.name}${lanes === 4 ? "_four" : ""}(${index})`;
  }

  /** A statement that writes one element, or the four that lie side by side at an index of fours. */
  store(buffer: ProgramBuffer, index: string, value: string, lanes: 1 | 4 = 1): string {
    const named = this.#named(buffer);
    if (lanes === 4) named.vector = true;
    return `set_${named.name}${lanes === 4 ? "_four" : ""}(${index}, ${value});`;
  }

  /** Whether an expression reads nothing that this dispatch can write: all lanes read the same then, where their indices are the same. */
  onlyReads(e: Expression): boolean {
    const isFixed = (buffer: ProgramBuffer) => !isInArena(buffer) && !this.#written.has(buffer);
    return expressionsOf(e).every((x) => x.kind !== "load" || isFixed(x.from));
  }

  /** Temporaries in the order in which the uniform has their offsets. */
  get temporaries(): ProgramBuffer[] {
    return [...this.#temporaries.keys()];
  }

  #named(buffer: ProgramBuffer): Named {
    const temporary = isInArena(buffer); // one of no elements may have no place there, and needs none
    const all = temporary ? this.#temporaries : this.#buffers;
    const known = all.get(buffer);
    if (known) return known;
    const named = { name: `${temporary ? "t" : "b"}${all.size}`, vector: false };
    all.set(buffer, named);
    return named;
  }

  /** Declarations and functions in WGSL, and what is to be bound, in the order of the bindings. */
  declare(): { text: string; bindings: Binding[] } {
    const bindings: Binding[] = [];
    const lines: string[] = [];
    const bind = (binding: Binding, declaration: string): void => {
      lines.push(`@group(0) @binding(${bindings.length}) ${declaration};`);
      bindings.push(binding);
    };
    if (this.#temporaries.size > 0) this.#declareArena(bind, lines);
    for (const [buffer, named] of this.#buffers) this.#declareBuffer(buffer, named, bind, lines);
    return { text: lines.join("\n"), bindings };
  }

  #declareArena(bind: (binding: Binding, declaration: string) => void, lines: string[]): void {
    const words = Math.ceil(this.#temporaries.size / 4);
    bind({ kind: "offsets" }, `var<uniform> offsets: array<vec4u, ${words}>`);
    const { cpu } = this.#target;
    const slabs = new Map<number, string>();
    const bound = (slab: number): string => {
      if (!slabs.has(slab)) {
        slabs.set(slab, `arena${slabs.size}`);
        const type = cpu ? "vec4u" : "u32";
        bind({ kind: "arena", slab }, `var<storage, read_write> ${slabs.get(slab)}: array<${type}>`);
      }
      return slabs.get(slab)!; // set above
    };
    for (const [k, [buffer, named]] of [...this.#temporaries].entries()) {
      const first = Math.floor((this.#plan.offsets.get(buffer) ?? 0) / this.#target.bindingBytes);
      const windows = this.#windows(bytesOf(buffer)).map(({ at }) => {
        const slab = bound(first + at);
        return (word: string) => `${slab}[offsets[${k >> 2}][${k & 3}] + ${word}]`;
      });
      lines.push(...this.#functions(buffer, named, windows, { writable: true, raw: true, wide: cpu }));
    }
  }

  #declareBuffer(
    buffer: ProgramBuffer,
    named: Named,
    bind: (binding: Binding, declaration: string) => void,
    lines: string[],
  ): void {
    const writable = this.#written.has(buffer);
    const wide = named.vector && (!writable || this.#target.cpu) && buffer.dtype === "float32";
    const windows = this.#windows(Math.ceil(bytesOf(buffer) / 16) * 16 || 16).map(({ at, offset, bytes }) => {
      const name = `${named.name}_${at}`;
      bind(
        { kind: "buffer", buffer, offset, bytes },
        `var<storage, ${writable ? "read_write" : "read"}> ${name}: array<${wordOf(buffer, wide)}>`,
      );
      return (i: string) => `${name}[${i}]`;
    });
    lines.push(...this.#functions(buffer, named, windows, { writable, wide }));
  }

  /** The parts of so many bytes that one binding each holds. */
  #windows(bytes: number): { at: number; offset: number; bytes: number }[] {
    const { bindingBytes } = this.#target;
    return Array.from({ length: Math.max(1, Math.ceil(bytes / bindingBytes)) }, (_, at) => {
      const offset = at * bindingBytes;
      return { at, offset, bytes: Math.min(bindingBytes, bytes - offset) };
    });
  }

  /** The functions of a buffer, over those of its windows where it has several. */
  #functions(buffer: ProgramBuffer, { name, vector }: Named, windows: readonly Words[], layout: Layout): string[] {
    const several = windows.length > 1;
    const lines = windows.flatMap((word, k) => {
      const own = several ? `${name}_window${k}` : name;
      return [...accessors(own, buffer, word, layout), ...(vector ? vectorAccessors(own, buffer, word, layout) : [])];
    });
    if (!several) return lines;
    const elements = this.#target.bindingBytes / elementBytes(buffer.dtype);
    const { writable } = layout;
    return [...lines, ...joined(name, buffer, { windows: windows.length, elements, writable, vector })];
  }
}

/** Text of the word of an index. */
type Words = (index: string) => string;

/** How a binding has its elements. */
interface Layout {
  readonly writable: boolean;
  /** All are u32. */
  readonly raw?: boolean;
  /** A word is a vector of four. Where it is written, its parts must not be one word to the device: lanes write neighbours at once. */
  readonly wide?: boolean;
}

const wordOf = ({ dtype }: ProgramBuffer, wide: boolean): string =>
  wide ? "vec4f" : dtype === "float32" ? "f32" : dtype === "int32" ? "i32" : "u32";

/** Functions that read, and where it is allowed write, element i. */
function accessors(
  name: string,
  { dtype }: ProgramBuffer,
  words: Words,
  { writable, raw = false, wide = false }: Layout,
): string[] {
  const perWord = 4 / elementBytes(dtype);
  const word = wide ? `${words("(i >> 2u)")}[i & 3u]` : words(perWord === 1 ? "i" : `i / ${perWord}u`);
  const reads = {
    float32: raw ? `bitcast<f32>(${word})` : word,
    int32: raw ? `bitcast<i32>(${word})` : word,
    bool: `(${word} != 0u)`,
    float16: `unpack2x16float(${word})[i % 2u]`,
    int8: `unpack4xI8(${word})[i % 4u]`,
  } as const;
  const type = typeOf(dtype);
  const lines = [`fn ${name}(i: u32) -> ${type} { return ${reads[dtype]}; }`];
  if (!writable) return lines;
  const stored = dtype === "bool" ? "u32(x)" : raw ? "bitcast<u32>(x)" : "x";
  return [...lines, `fn set_${name}(i: u32, x: ${type}) { ${word} = ${stored}; }`];
}

const typeOf = (dtype: ProgramBuffer["dtype"]): string =>
  dtype === "bool" ? "bool" : dtype === "float32" || dtype === "float16" ? "f32" : "i32";

/** As {@link accessors}, of the elements from 4i on. */
function vectorAccessors(name: string, { dtype }: ProgramBuffer, words: Words, layout: Layout): string[] {
  const { writable, wide = false, raw = false } = layout;
  const type = `vec4<${typeOf(dtype)}>`;
  const each = (of: (k: number) => string, between: string) => [0, 1, 2, 3].map(of).join(between);
  const four = wide
    ? wideWord(dtype, words("i"), raw)
    : dtype === "float16"
      ? `${type}(unpack2x16float(${words("2u * i")}), unpack2x16float(${words("2u * i + 1u")}))`
      : dtype === "int8"
        ? `unpack4xI8(${words("i")})`
        : `${type}(${each((k) => `${name}(4u * i + ${k}u)`, ", ")})`;
  const lines = [`fn ${name}_four(i: u32) -> ${type} { return ${four}; }`];
  if (!writable) return lines;
  const stored = dtype === "bool" ? "vec4u(x)" : raw ? "bitcast<vec4u>(x)" : "x";
  const set = wide ? `${words("i")} = ${stored};` : each((k) => `set_${name}(4u * i + ${k}u, x[${k}]);`, " ");
  return [...lines, `fn set_${name}_four(i: u32, x: ${type}) { ${set} }`];
}

const wideWord = (dtype: ProgramBuffer["dtype"], word: string, raw: boolean): string =>
  dtype === "bool" ? `(${word} != vec4u(0))` : raw ? `bitcast<vec4<${typeOf(dtype)}>>(${word})` : word;

/** The same functions of a buffer that several bindings hold. */
function joined(
  name: string,
  { dtype }: ProgramBuffer,
  { windows, elements, writable, vector }: { windows: number; elements: number; writable: boolean; vector: boolean },
): string[] {
  const functions = (suffix: string, type: string, each: number): string[] => {
    const at = (k: number) => `i - ${k * each}u`;
    const pick = (call: (window: string, index: string) => string): string =>
      Array.from(
        { length: windows - 1 },
        (_, k) => `if (i < ${(k + 1) * each}u) { ${call(`${name}_window${k}`, at(k))} }`,
      )
        .concat(call(`${name}_window${windows - 1}`, at(windows - 1)))
        .join(" ");
    const read = pick((window, i) => `return ${window}${suffix}(${i});`);
    const write = pick((window, i) => `set_${window}${suffix}(${i}, x); return;`);
    return [
      `fn ${name}${suffix}(i: u32) -> ${type} { ${read} }`,
      ...(writable ? [`fn set_${name}${suffix}(i: u32, x: ${type}) { ${write} }`] : []),
    ];
  };
  const type = typeOf(dtype);
  return [...functions("", type, elements), ...(vector ? functions("_four", `vec4<${type}>`, elements / 4) : [])];
}
