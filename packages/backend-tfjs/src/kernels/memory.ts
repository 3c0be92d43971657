/// <reference lib="dom" preserve="true" />
// The types of WebAssembly are those of the DOM library, and no page is needed for them.
import { FinegrainError } from "@finegrain/graph";

/** Bytes of tensors that tfjs's WebAssembly holds at most: it ends at 4 GiB, and its products keep a second copy of their weights. */
export const MOST_BYTES = 2.2e9;

const HELP = "the backends wasm and onnx hold larger models";

/** tfjs says no more than that its engine does not start. @throws FinegrainError where the system refuses WebAssembly's memory. */
export function expectMemory(): void {
  try {
    new WebAssembly.Memory({ initial: 1 });
  } catch (cause) {
    throw new FinegrainError(
      `TensorFlow.js's wasm backend does not start here: its memory was refused (${(cause as Error).message}), of which Node reserves more than 10 GiB of addresses: \`ulimit -v\` may leave fewer`,
      { cause },
    );
  }
}

/**
 * Beyond the end tfjs would write over what is there.
 * @param held bytes of tensors that are there. @throws FinegrainError where there is no room for so many more.
 */
export function expectRoom(held: number, bytes: number): void {
  if (held + bytes > MOST_BYTES)
    throw new FinegrainError(
      `tfjs:wasm holds at most ${gb(MOST_BYTES)} of tensors, and ${gb(held + bytes)} are needed: ${HELP}`,
    );
}

/** What a run says that met the end of the memory, in place of what WebAssembly or XNNPACK say of it; undefined where it did not. */
export const outOfMemory = ({ message }: Error): string | undefined =>
  /memory access out of bounds|Aborted\(|Cannot enlarge memory|xnn_status/i.test(message)
    ? `its memory of 4 GiB is full (${message.split("\n")[0]}): ${HELP}`
    : undefined;

const gb = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;
