/// <reference lib="dom" preserve="true" />
// The types of WebAssembly are those of the DOM library, and no page is needed for them.
import { Arena } from "@finegrain/codegen";
import { type DType, FinegrainError } from "@finegrain/graph";
import type { MemoryImport } from "./assembler/module.ts";
import { HEAP_START } from "./control.ts";
import { detectFeatures } from "./features.ts";

const PAGE = 65536;
const GIB = 2 ** 30;
/** What runtimes allow: of a 32-bit memory 4 GiB, of a 64-bit one 16 GiB. */
const MOST_PAGES = { narrow: 65536, wide: 262144 };
const FIRST_PAGES = 16;

/** What holds each dtype there: a bool is an int32. */
const arrays = {
  float32: Float32Array,
  int32: Int32Array,
  bool: Int32Array,
  float16: Uint16Array,
  int8: Int8Array,
} as const;

/** The one memory of an engine, from which everything that its programs touch is taken. */
export class Memory {
  readonly memory: WebAssembly.Memory;
  readonly import: MemoryImport;
  readonly #arena = new Arena();
  #pages = FIRST_PAGES;

  /** @throws FinegrainError where the system refuses it: why, and what would help. */
  constructor({ wide, shared }: { wide: boolean; shared: boolean }) {
    const maximum = wide ? MOST_PAGES.wide : MOST_PAGES.narrow;
    this.import = { initial: FIRST_PAGES, maximum, shared, wide };
    try {
      this.memory = new WebAssembly.Memory(descriptor(this.import));
    } catch (cause) {
      throw new FinegrainError(refusal(cause), { cause });
    }
  }

  /**
   * Bytes at a multiple of 64.
   * @throws FinegrainError where there is no room: how much was needed and what would help.
   */
  take(bytes: number): number {
    const address = HEAP_START + this.#arena.take(bytes);
    try {
      this.#reserve(HEAP_START + this.#arena.end, bytes);
    } catch (error) {
      this.give(address, bytes);
      throw error;
    }
    return address;
  }

  give(address: number, bytes: number): void {
    this.#arena.free(address - HEAP_START, bytes);
  }

  /** Bytes up to the end of what is taken. */
  get used(): number {
    return HEAP_START + this.#arena.end;
  }

  /** The numbers at an address. */
  view(dtype: DType, address: number, length: number): Float32Array | Int32Array | Uint16Array | Int8Array {
    return new arrays[dtype](this.memory.buffer, address, length);
  }

  #reserve(end: number, wanted: number): void {
    const pages = Math.ceil(end / PAGE);
    if (pages <= this.#pages) return;
    const { maximum, wide } = this.import;
    // A little ahead, since every growth costs.
    const goal = Math.min(maximum, Math.max(pages, Math.ceil(this.#pages * 1.25)));
    try {
      if (pages > maximum) throw new RangeError("beyond the maximum");
      grow(this.memory, goal - this.#pages, wide);
    } catch (cause) {
      throw new FinegrainError(this.#complaint(end, wanted), { cause });
    }
    this.#pages = goal;
  }

  #complaint(end: number, wanted: number): string {
    const { maximum, wide } = this.import;
    const wider = detectFeatures().memory64
      ? "memory64, which this runtime has (`--device memory64` on the command line),"
      : "memory64 (in Node 24 and current browsers)";
    const help = wide ? "a machine with more memory, or weights of fewer bits," : `${wider} or weights of fewer bits`;
    return `${gib(wanted)} more is needed, ${gib(end)} in all, and this memory ends at ${gib(maximum * PAGE)}: ${help} would help`;
  }
}

/** V8 reserves addresses far beyond a memory, whatever its size, so that it need not check each access. */
function refusal(cause: unknown): string {
  const reason = cause instanceof Error ? cause.message : cause;
  const help = globalThis.process?.versions?.node
    ? "Node reserves more than 10 GiB of addresses for it, unless NODE_OPTIONS has --disable-wasm-trap-handler, and `ulimit -v` may leave fewer"
    : "this runtime may have too many memories already";
  return `WebAssembly's memory was refused (${reason}): ${help}`;
}

const gib = (bytes: number): string => `${(bytes / GIB).toFixed(2)} GiB`;

/** TypeScript's library does not know 64-bit memories yet: their sizes are BigInts. */
function descriptor({ initial, maximum, shared, wide }: MemoryImport): WebAssembly.MemoryDescriptor {
  if (!wide) return { initial, maximum, shared };
  const sizes = { address: "i64", initial: BigInt(initial), maximum: BigInt(maximum), shared };
  return sizes as unknown as WebAssembly.MemoryDescriptor;
}

function grow(memory: WebAssembly.Memory, pages: number, wide: boolean): void {
  memory.grow((wide ? BigInt(pages) : pages) as number); // as above
}
