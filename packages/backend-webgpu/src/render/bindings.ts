import { bytesOf, elementBytes, type MemoryPlan, type ProgramBuffer } from "@finegrain/codegen";
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
  scalar: boolean;
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

  /** The value at an index: text of an f32, i32 or bool, or of four that lie side by side. */
  load(buffer: ProgramBuffer, index: string, lanes: 1 | 4 = 1): string {
    const named = this.#named(buffer);
    if (lanes === 4) named.vector = true;
    else named.scalar = true;
    return `${named.name}${lanes === 4 ? "_four" : ""}(${index})`;
  }

  /** A statement. */
  store(buffer: ProgramBuffer, index: string, value: string): string {
    return `set_${this.#named(buffer).name}(${index}, ${value});`;
  }

  /** Temporaries in the order in which the uniform has their offsets. */
  get temporaries(): ProgramBuffer[] {
    return [...this.#temporaries.keys()];
  }

  /** Whether it is in the arena. One of no elements may have no place there, and needs none. */
  #isTemporary({ place }: ProgramBuffer): boolean {
    return place.kind === "temporary" || place.kind === "constant";
  }

  #named(buffer: ProgramBuffer): Named {
    const temporary = this.#isTemporary(buffer);
    const all = temporary ? this.#temporaries : this.#buffers;
    const known = all.get(buffer);
    if (known) return known;
    const named = { name: `${temporary ? "t" : "b"}${all.size}`, scalar: false, vector: false };
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
    const slabs = new Map<number, string>();
    for (const [k, [buffer, { name, vector }]] of [...this.#temporaries].entries()) {
      const first = Math.floor((this.#plan.offsets.get(buffer) ?? 0) / this.#target.bindingBytes);
      if (!slabs.has(first)) {
        slabs.set(first, `arena${slabs.size}`);
        bind({ kind: "arena", slab: first }, `var<storage, read_write> ${slabs.get(first)}: array<u32>`);
      }
      const at = `${slabs.get(first)}[offsets[${k >> 2}][${k & 3}] + i]`;
      lines.push(
        ...accessors(name, buffer, at, { writable: true, raw: true }),
        ...(vector ? [fourScalars(name, buffer)] : []),
      );
    }
  }

  #declareBuffer(
    buffer: ProgramBuffer,
    { name, vector }: Named,
    bind: (binding: Binding, declaration: string) => void,
    lines: string[],
  ): void {
    const writable = this.#written.has(buffer);
    const wide = vector && !writable && buffer.dtype === "float32";
    const { element, perWord } = storageOf(buffer, wide);
    const bytes = Math.ceil(Math.max(bytesOf(buffer), 1) / 16) * 16;
    const { bindingBytes } = this.#target;
    const windows = Math.max(1, Math.ceil(bytes / bindingBytes));
    const names = Array.from({ length: windows }, (_, k) => `${name}_${k}`);
    names.forEach((window, k) => {
      const offset = k * bindingBytes;
      bind(
        { kind: "buffer", buffer, offset, bytes: Math.min(bindingBytes, bytes - offset) },
        `var<storage, ${writable ? "read_write" : "read"}> ${window}: array<${element}>`,
      );
    });
    const elements = bindingBytes / elementBytes(buffer.dtype);
    names.forEach((window, k) => {
      const own = windows === 1 ? name : `${name}_window${k}`;
      const word = perWord === 1 ? `${window}[i]` : `${window}[i / ${perWord}u]`;
      lines.push(...accessors(own, buffer, word, { writable, wide }));
      if (vector)
        lines.push(
          wide ? `fn ${own}_four(i: u32) -> vec4f { return ${window}[i / 4u]; }` : fourOf(own, buffer, window),
        );
    });
    if (windows > 1) lines.push(...joined(name, buffer, { windows, elements, writable, vector }));
  }
}

/** How an element lies in a binding's array. */
function storageOf({ dtype }: ProgramBuffer, wide: boolean): { element: string; perWord: number } {
  if (wide) return { element: "vec4f", perWord: 4 };
  const perWord = 4 / elementBytes(dtype);
  return { element: dtype === "float32" ? "f32" : dtype === "int32" ? "i32" : "u32", perWord };
}

/** Functions that read, and where it is allowed write, element i, which is in the word `word`. */
function accessors(
  name: string,
  { dtype }: ProgramBuffer,
  word: string,
  { writable, raw = false, wide = false }: { writable: boolean; raw?: boolean; wide?: boolean },
): string[] {
  const reads = {
    float32: wide ? `${word}[i % 4u]` : raw ? `bitcast<f32>(${word})` : word,
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

const fourScalars = (name: string, { dtype }: ProgramBuffer): string =>
  `fn ${name}_four(i: u32) -> vec4<${typeOf(dtype)}> { return vec4<${typeOf(dtype)}>(${[0, 1, 2, 3].map((k) => `${name}(i + ${k}u)`).join(", ")}); }`;

/** Four elements that lie side by side from a multiple of four on. */
function fourOf(name: string, buffer: ProgramBuffer, window: string): string {
  if (buffer.dtype === "float16")
    return `fn ${name}_four(i: u32) -> vec4f { return vec4f(unpack2x16float(${window}[i / 2u]), unpack2x16float(${window}[i / 2u + 1u])); }`;
  if (buffer.dtype === "int8") return `fn ${name}_four(i: u32) -> vec4i { return unpack4xI8(${window}[i / 4u]); }`;
  return fourScalars(name, buffer);
}

/** The same functions of a buffer that several bindings hold. */
function joined(
  name: string,
  { dtype }: ProgramBuffer,
  { windows, elements, writable, vector }: { windows: number; elements: number; writable: boolean; vector: boolean },
): string[] {
  const pick = (call: (window: string, index: string) => string): string =>
    Array.from(
      { length: windows - 1 },
      (_, k) => `if (i < ${(k + 1) * elements}u) { ${call(`${name}_window${k}`, at(k))} }`,
    )
      .concat(call(`${name}_window${windows - 1}`, at(windows - 1)))
      .join(" ");
  const at = (k: number) => `i - ${k * elements}u`;
  const type = typeOf(dtype);
  const lines = [`fn ${name}(i: u32) -> ${type} { ${pick((window, i) => `return ${window}(${i});`)} }`];
  if (vector)
    lines.push(`fn ${name}_four(i: u32) -> vec4<${type}> { ${pick((window, i) => `return ${window}_four(${i});`)} }`);
  if (writable)
    lines.push(`fn set_${name}(i: u32, x: ${type}) { ${pick((window, i) => `set_${window}(${i}, x); return;`)} }`);
  return lines;
}
