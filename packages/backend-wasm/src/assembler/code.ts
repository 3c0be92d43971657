import { Bytes } from "./bytes.ts";
import {
  access,
  atomicAccess,
  laneAccess,
  laneOpcodes,
  opcodes,
  types,
  type ValueType,
  vectorAccess,
  vectorOpcodes,
} from "./opcodes.ts";

/** A local variable or parameter, by its number. */
export type Local = number & { readonly local: never };

/** Integer operations that exist for both kinds of pointers. */
type PointerOp = "add" | "sub" | "mul" | "div_u" | "rem_u" | "lt_u" | "ge_u" | "and" | "or" | "shl" | "shr_u" | "eqz";

/** The body of a function, written instruction by instruction. Addresses are i64 where memory is wide, else i32. */
export class Code {
  readonly #bytes = new Bytes();
  /** Instructions at the function's start. */
  readonly #start = new Bytes();
  readonly #locals: ValueType[] = [];
  /** Where vectors of constants are, by their lanes. */
  readonly #constants = new Map<string, Local>();
  readonly parameters: readonly ValueType[];
  /** Of the function, if it has one. */
  readonly result: ValueType | undefined;
  /** Addresses of 64 bits. */
  readonly wide: boolean;

  constructor(parameters: readonly ValueType[], wide: boolean, result?: ValueType) {
    this.parameters = parameters;
    this.result = result;
    this.wide = wide;
  }

  get pointer(): "i32" | "i64" {
    return this.wide ? "i64" : "i32";
  }

  parameter(index: number): Local {
    return index as Local; // parameters are the first locals
  }

  local(type: ValueType | "pointer"): Local {
    this.#locals.push(type === "pointer" ? this.pointer : type);
    return (this.parameters.length + this.#locals.length - 1) as Local; // numbered behind the parameters
  }

  get(local: Local): this {
    this.#bytes.byte(0x20).unsigned(local);
    return this;
  }

  set(local: Local): this {
    this.#bytes.byte(0x21).unsigned(local);
    return this;
  }

  tee(local: Local): this {
    this.#bytes.byte(0x22).unsigned(local);
    return this;
  }

  i32(value: number): this {
    this.#bytes.byte(0x41).signed(value | 0);
    return this;
  }

  i64(value: number): this {
    this.#bytes.byte(0x42).signed(value);
    return this;
  }

  f32(value: number): this {
    this.#bytes.byte(0x43).float32(value);
    return this;
  }

  /** A constant of the pointer's type. */
  address(value: number): this {
    return this.wide ? this.i64(value) : this.i32(value);
  }

  /** Four lanes of 32 bits. They are made at the function's start, unless they are zeros: Node 24's V8 would make them anew in every turn of a loop. */
  lanes(values: readonly [number, number, number, number], type: "f32" | "i32"): this {
    const array = new Uint8Array((type === "f32" ? new Float32Array(values) : new Int32Array(values)).buffer);
    const constant = (to: Bytes) => to.byte(0xfd).unsigned(12).append(array);
    if (array.every((byte) => byte === 0)) {
      constant(this.#bytes);
      return this;
    }
    const key = array.join();
    const known = this.#constants.get(key);
    if (known !== undefined) return this.get(known);
    const local = this.local("v128");
    this.#constants.set(key, local);
    constant(this.#start).byte(0x21).unsigned(local);
    return this.get(local);
  }

  splat(value: number, type: "f32" | "i32"): this {
    return this.lanes([value, value, value, value], type);
  }

  do(...names: readonly (keyof typeof opcodes)[]): this {
    for (const name of names) this.#bytes.byte(opcodes[name]);
    return this;
  }

  pointerOp(name: PointerOp): this {
    return this.do(`${this.pointer}.${name}` as keyof typeof opcodes); // both kinds have these
  }

  /** Pops an i32, pushes it as a pointer, with its sign. */
  toPointer(): this {
    return this.wide ? this.do("i64.extend_i32_s") : this;
  }

  vector(...names: readonly (keyof typeof vectorOpcodes)[]): this {
    for (const name of names) this.#bytes.byte(0xfd).unsigned(vectorOpcodes[name]);
    return this;
  }

  lane(name: keyof typeof laneOpcodes, lane: number): this {
    this.#bytes.byte(0xfd).unsigned(laneOpcodes[name]).byte(lane);
    return this;
  }

  /** Lanes of two vectors of 32-bit lanes: 0 to 3 of the first, 4 to 7 of the second. */
  shuffle(lanes: readonly [number, number, number, number]): this {
    this.#bytes.byte(0xfd).unsigned(13);
    for (const lane of lanes) for (let byte = 0; byte < 4; byte++) this.#bytes.byte(4 * lane + byte);
    return this;
  }

  /** Bytes of two vectors: 0 to 15 of the first, 16 to 31 of the second. */
  shuffleBytes(bytes: readonly number[]): this {
    this.#bytes
      .byte(0xfd)
      .unsigned(13)
      .byte(...bytes);
    return this;
  }

  access(name: keyof typeof access, offset = 0): this {
    const [opcode, align] = access[name];
    this.#bytes.byte(opcode).unsigned(align).unsigned(offset);
    return this;
  }

  /** A pointer from memory. */
  loadPointer(offset: number): this {
    return this.access(this.wide ? "i64.load" : "i32.load", offset);
  }

  atomic(name: keyof typeof atomicAccess, offset = 0): this {
    const [opcode, align] = atomicAccess[name];
    this.#bytes.byte(0xfe, opcode).unsigned(align).unsigned(offset);
    return this;
  }

  vectorAccess(name: keyof typeof vectorAccess, offset = 0): this {
    const [opcode, align] = vectorAccess[name];
    this.#bytes.byte(0xfd).unsigned(opcode).unsigned(align).unsigned(offset);
    return this;
  }

  laneAccess(name: keyof typeof laneAccess, lane: number, offset = 0): this {
    const [opcode, align] = laneAccess[name];
    this.#bytes.byte(0xfd).unsigned(opcode).unsigned(align).unsigned(offset).byte(lane);
    return this;
  }

  call(functionIndex: number): this {
    this.#bytes.byte(0x10).unsigned(functionIndex);
    return this;
  }

  /** A block, which a branch leaves. */
  block(body: () => void): this {
    return this.#nested([0x02, 0x40], body);
  }

  /** A block that a branch starts again. */
  loop(body: () => void): this {
    return this.#nested([0x03, 0x40], body);
  }

  /** Of the condition on the stack. */
  if(body: () => void, otherwise?: () => void): this {
    this.#bytes.byte(0x04, 0x40);
    body();
    if (otherwise) {
      this.#bytes.byte(0x05);
      otherwise();
    }
    this.#bytes.byte(0x0b);
    return this;
  }

  /** Jump to the end of the block, or to the start of the loop, that is `depth` levels out, where the condition on the stack holds. */
  branchIf(depth: number): this {
    this.#bytes.byte(0x0d).unsigned(depth);
    return this;
  }

  branch(depth: number): this {
    this.#bytes.byte(0x0c).unsigned(depth);
    return this;
  }

  /**
   * counter = from; while counter < to: body; counter += step. Both bounds are pushed by functions, since they may be constants
   * or locals.
   */
  count(
    counter: Local,
    { from, to, step = 1 }: { from?: () => void; to: () => void; step?: number },
    body: () => void,
  ): this {
    if (from) from();
    else this.address(0);
    this.set(counter);
    return this.block(() => {
      this.get(counter);
      to();
      this.pointerOp("ge_u").branchIf(0);
      this.loop(() => {
        body();
        this.get(counter).address(step).pointerOp("add").tee(counter);
        to();
        this.pointerOp("lt_u").branchIf(0);
      });
    });
  }

  #nested(opening: readonly number[], body: () => void): this {
    this.#bytes.byte(...opening);
    body();
    this.#bytes.byte(0x0b);
    return this;
  }

  /** The function's entry in a module's code section. */
  encode(): Uint8Array {
    const body = new Bytes().unsigned(this.#locals.length);
    for (const type of this.#locals) body.unsigned(1).byte(types[type]);
    body.append(this.#start.done()).append(this.#bytes.done()).byte(0x0b);
    return new Bytes().unsigned(body.length).append(body.done()).done();
  }
}
