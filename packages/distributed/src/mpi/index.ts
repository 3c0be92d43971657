export { type MpiOptions, openMpi } from "./mpi.ts";
