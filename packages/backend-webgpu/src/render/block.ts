/** What the blocks of a kernel share. */
interface Names {
  next: number;
  /** Numbers by the names of four times them. */
  readonly fourths: Map<string, string>;
}

/** Lines of WGSL in one scope, with names that no other block of the shader has. */
export class Block {
  readonly lines: string[] = [];
  readonly #names: Names;
  /** What this block has divided by four. */
  readonly #fourths = new Map<string, string>();

  constructor(names: Names = { next: 0, fourths: new Map() }) {
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

  /** `let` with four times a number, which {@link fourth} need not divide again. @returns the name. */
  fours(count: string): string {
    const name = this.let(`4u * ${count}`);
    this.#names.fourths.set(name, count);
    return name;
  }

  /** A number that {@link fours} made a name of, by that name. */
  knownFourth(name: string): string | undefined {
    return this.#names.fourths.get(name);
  }

  /** The name of a fourth of what is a multiple of four. Some drivers divide lane by lane: so it is written once. */
  fourth(name: string): string {
    const known = this.knownFourth(name) ?? this.#fourths.get(name);
    if (known !== undefined) return known;
    const fourth = this.let(`${name} >> 2u`);
    this.#fourths.set(name, fourth);
    return fourth;
  }

  /** `head { ... }`, with what `write` adds inside. */
  nest(head: string, write: (inner: Block) => void): this {
    const inner = new Block(this.#names);
    write(inner);
    return this.add(`${head} {`, ...inner.lines.map((line) => `  ${line}`), "}");
  }
}
