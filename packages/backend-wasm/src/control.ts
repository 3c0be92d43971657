/**
 * The first bytes of memory, by which threads meet: 32-bit words, each on a cache line of its own. Below them, address 0 stays
 * unused, so that a pointer is never 0.
 */
export const control = {
  /** Threads that have arrived at the current barrier. */
  arrived: 64,
  /** Barriers passed. */
  generation: 128,
  /** Threads that sleep at a barrier. */
  sleeping: 192,
  /** Changes with everything that a waiting worker should look at. */
  wake: 256,
  /** Runs begun, of parts of programs. */
  runs: 320,
  /** Which program the last run is of. */
  program: 384,
  /** Messages posted to each worker. */
  messages: 448,
  /** Not 0 once a thread has failed: nobody waits for it any longer. */
  failed: 512,
  /** Waits at barriers that are to be short, until a long one is tried again. */
  shortWaits: 576,
  /** Which part of its program the last run is of. */
  part: 640,
} as const;

/** Where buffers may begin. */
export const HEAP_START = 1024;
