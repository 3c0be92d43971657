import { UNKNOWN_MACHINE } from "../peers/peer-line.ts";
import type { Result } from "../results/result.ts";

/** What is drawn in one colour: a backend on a machine. */
export interface Series {
  readonly key: string;
  /** Its backend, with the machine where the results are of more than one. */
  readonly label: string;
}

/** The machine as one reads it: the backend's device where that is not the CPU. */
export const machineLabel = ({ machine, device }: Result): string =>
  device === machine.cpu ? `${machine.cpu}, ${machine.threads} threads` : device;

const isKnown = (result: Result) => machineLabel(result) !== UNKNOWN_MACHINE;

/** The machines that are known by name. */
export const machinesOf = (results: readonly Result[]): string[] => [
  ...new Set(results.filter(isKnown).map(machineLabel)),
];

export const seriesKey = (result: Result): string => JSON.stringify([result.backend, machineLabel(result)]);

/** The series of results, in the order in which they first come. */
export function seriesOf(results: readonly Result[]): Series[] {
  const several = machinesOf(results).length > 1;
  const label = (result: Result) =>
    several || !isKnown(result) ? `${result.backend} on ${machineLabel(result)}` : result.backend;
  const byKey = new Map(results.map((result) => [seriesKey(result), label(result)]));
  return [...byKey].map(([key, name]) => ({ key, label: name }));
}

/** Of results for the same thing on the same machine the last one, in the order in which they first come. */
export function newest<R extends Result>(results: readonly R[], machine = machineLabel as (result: R) => string): R[] {
  const key = (result: R) =>
    JSON.stringify([machine(result), result.suite, result.case, result.backend, result.device, result.variant]);
  return [...new Map(results.map((result) => [key(result), result])).values()];
}

/** Results by what `of` says of them, in the order in which they first come. */
export function grouped<R>(results: readonly R[], of: (result: R) => string): Map<string, R[]> {
  const groups = new Map<string, R[]>();
  for (const result of results) {
    const group = groups.get(of(result));
    if (group === undefined) groups.set(of(result), [result]);
    else group.push(result);
  }
  return groups;
}
