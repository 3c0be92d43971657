import { type Access, mayMeet } from "../ir/access.ts";
import type { ProgramBuffer } from "../ir/buffer.ts";
import type { Task } from "./task.ts";

/** Where a task that a schedule has placed touches a buffer. */
interface Touch<Placed> {
  readonly placed: Placed;
  readonly access: Access;
}

/** What a schedule has placed, by the buffers that it touches: so that not every pair of tasks has to be looked at to know which of them wait. */
export class Dependencies<Placed extends { readonly task: Task }> {
  readonly #touching = new Map<ProgramBuffer, { readonly writes: Touch<Placed>[]; readonly reads: Touch<Placed>[] }>();

  add(placed: Placed): void {
    for (const access of placed.task.accesses)
      this.#of(access.buffer)[access.writes ? "writes" : "reads"].push({ placed, access });
  }

  /** Those of what is placed that cannot run in any order with the task: one of the two writes what the other touches. */
  of(task: Task): ReadonlySet<Placed> {
    const found = new Set<Placed>();
    for (const own of task.accesses) {
      const { writes, reads } = this.#of(own.buffer);
      for (const touches of own.writes ? [writes, reads] : [writes])
        for (const { placed, access } of touches)
          if (placed.task !== task && !found.has(placed) && mayMeet(access, own)) found.add(placed);
    }
    return found;
  }

  #of(buffer: ProgramBuffer) {
    const known = this.#touching.get(buffer) ?? { writes: [], reads: [] };
    this.#touching.set(buffer, known);
    return known;
  }
}
