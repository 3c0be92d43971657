/** Lines of WGSL in one scope, with names that no other block of the shader has. */
export class Block {
  readonly lines: string[] = [];
  readonly #names: { next: number };

  constructor(names: { next: number } = { next: 0 }) {
    this.#names = names;
  }

  add(...lines: readonly string[]): this {
    this.lines.push(...lines);
    return this;
  }

  /** `let` with a new name. @returns the name. */
  let(value: string): string {
    const name = `v${this.#names.next++}`;
    this.lines.push(`let ${name} = ${value};`);
    return name;
  }

  /** `head { ... }`, with what `write` adds inside. */
  nest(head: string, write: (inner: Block) => void): this {
    const inner = new Block(this.#names);
    write(inner);
    return this.add(`${head} {`, ...inner.lines.map((line) => `  ${line}`), "}");
  }
}
