import type { LibraryHandle } from "koffi";

/**
 * How a library of MPI names its constants: Open MPI by the addresses of symbols that it exports, MPICH and those with its
 * binary interface (Intel MPI, Cray MPICH, MVAPICH) by numbers of 32 bits.
 */
export interface Flavor {
  /** The C type of a communicator, a datatype, an operation and a request. */
  readonly handle: "void*" | "int";
  readonly world: unknown;
  readonly datatypes: Readonly<Record<"float32" | "float64" | "int32" | "uint8", unknown>>;
  readonly reductions: Readonly<Record<"sum" | "min" | "max", unknown>>;
  /** MPI_IN_PLACE, for a sender whose numbers are where the result goes. */
  readonly inPlace: bigint;
  readonly ignoredStatus: bigint;
}

/** Of mpi.h of MPICH 3.0 and later. */
const MPICH: Flavor = {
  handle: "int",
  world: 0x44000000,
  datatypes: { float32: 0x4c00040a, float64: 0x4c00080b, int32: 0x4c000405, uint8: 0x4c000102 },
  reductions: { max: 0x58000001, min: 0x58000002, sum: 0x58000003 },
  inPlace: 0xffffffffffffffffn,
  ignoredStatus: 1n,
};

export function flavorOf(library: LibraryHandle): Flavor {
  const exported = (name: string): unknown => library.symbol(`ompi_mpi_${name}`);
  try {
    exported("comm_world");
  } catch {
    return MPICH;
  }
  return {
    handle: "void*",
    world: exported("comm_world"),
    datatypes: {
      float32: exported("float"),
      float64: exported("double"),
      int32: exported("int"),
      uint8: exported("unsigned_char"),
    },
    reductions: { sum: exported("op_sum"), min: exported("op_min"), max: exported("op_max") },
    inPlace: 1n,
    ignoredStatus: 0n,
  };
}
