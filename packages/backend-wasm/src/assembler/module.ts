import { atOnce, type Turns } from "@finegrain/graph";
import { Bytes } from "./bytes.ts";
import type { Code } from "./code.ts";
import { types, type ValueType } from "./opcodes.ts";

/** Memory that a module imports, in pages of 64 KiB. */
export interface MemoryImport {
  readonly initial: number;
  readonly maximum: number;
  readonly shared: boolean;
  readonly wide: boolean;
}

/** A module of functions over one imported memory (`env.memory`). */
export class Module {
  readonly #functions: { code: Code; type: number }[] = [];
  readonly #types: Uint8Array[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #exports: { name: string; index: number }[] = [];
  readonly #imports: { name: string; type: number }[] = [];
  readonly #memory: MemoryImport;

  constructor(memory: MemoryImport) {
    this.#memory = memory;
  }

  /** A function of `env`. Before any of the module's own. @returns its index. */
  importFunction(name: string, parameters: readonly ValueType[]): number {
    this.#imports.push({ name, type: this.#type(parameters) });
    return this.#imports.length - 1;
  }

  /** @returns the function's index. */
  add(code: Code, exported?: string): number {
    const index = this.#imports.length + this.#functions.length;
    this.#functions.push({ code, type: this.#type(code.parameters, code.result) });
    if (exported !== undefined) this.#exports.push({ name: exported, index });
    return index;
  }

  #type(parameters: readonly ValueType[], result?: ValueType): number {
    const key = [...parameters, "to", result].join(" ");
    const known = this.#numbers.get(key) ?? this.#types.push(functionType(parameters, result)) - 1;
    this.#numbers.set(key, known);
    return known;
  }

  encode(): Uint8Array<ArrayBuffer> {
    return atOnce(this.encoding());
  }

  /** The same, with a step for every function. */
  *encoding(): Turns<Uint8Array<ArrayBuffer>> {
    const bodies: Uint8Array[] = [];
    for (const { code } of this.#functions) {
      bodies.push(code.encode());
      yield;
    }
    const module = new Bytes().byte(0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
    const section = (id: number, entries: readonly Uint8Array[]) => {
      const body = new Bytes().unsigned(entries.length);
      for (const entry of entries) body.append(entry);
      module.byte(id).unsigned(body.length).append(body.done());
    };
    section(1, this.#types);
    section(2, [this.#memoryImport(), ...this.#imports.map(functionImport)]);
    section(
      3,
      this.#functions.map(({ type }) => new Bytes().unsigned(type).done()),
    );
    section(
      7,
      this.#exports.map(({ name, index }) => new Bytes().name(name).byte(0).unsigned(index).done()),
    );
    section(10, bodies);
    return module.done();
  }

  #memoryImport(): Uint8Array {
    const { initial, maximum, shared, wide } = this.#memory;
    const limits = 1 | (shared ? 2 : 0) | (wide ? 4 : 0);
    return new Bytes().name("env").name("memory").byte(2, limits).unsigned(initial).unsigned(maximum).done();
  }
}

const functionImport = ({ name, type }: { name: string; type: number }): Uint8Array =>
  new Bytes().name("env").name(name).byte(0).unsigned(type).done();

function functionType(parameters: readonly ValueType[], result: ValueType | undefined): Uint8Array {
  const bytes = new Bytes().byte(0x60);
  for (const list of [parameters, result ? [result] : []]) {
    bytes.unsigned(list.length);
    for (const type of list) bytes.byte(types[type]);
  }
  return bytes.done();
}
