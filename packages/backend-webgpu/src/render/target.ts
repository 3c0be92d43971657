/** What shaders are written for. */
export interface Target {
  /** Invocations of a workgroup, a power of two. */
  readonly lanes: number;
  /** Invocations that a device runs at once, about: a sum is shared by more of them where there are few sums. */
  readonly wanted: number;
  /** Invocations of the smallest subgroup; 1 where subgroups are not used. */
  readonly subgroup: number;
  /**
   * Whether it is a CPU, whose driver reads memory lane by lane: what counts is how many reads a lane does, of whatever size. Lanes that write
   * parts of one vector do not get in each other's way.
   */
  readonly cpu: boolean;
  /** Cores of a CPU, each of which takes as many workgroups in a row; 1 where it is none. */
  readonly cores: number;
  /** Whether products are worth tiles in the workgroups' memory: on a CPU all memory is the same. */
  readonly tiles: boolean;
  /** Whether tiles are float16, multiplied as such; sums are float32 all the same. */
  readonly half: boolean;
  /** Bytes of memory that a workgroup has. */
  readonly workgroupBytes: number;
  /** Bytes of the largest binding. */
  readonly bindingBytes: number;
}
