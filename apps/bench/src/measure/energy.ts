import { builtIn } from "./node.ts";
import { median } from "./statistics.ts";

/** Where Linux shows the counters of Intel's and AMD's processors (powercap, RAPL). Reading them may need a right. */
const POWERCAP = "/sys/class/powercap";

/** Measures what the processor's packages take while something runs. */
export interface EnergyMeter {
  start(): void;
  /** Close what `start` opened, of so many units (tokens). */
  stop(units: number): void;
  /** Median over what was closed; null where the system does not tell. */
  joulesPerUnit(): number | null;
}

/** @param folder where the counters are; another one in tests. */
export function energyMeter(folder = POWERCAP): EnergyMeter {
  const packages = packageCounters(folder);
  const joules: number[] = [];
  let started: readonly number[] | undefined;
  return {
    start() {
      started = packages.map(({ read }) => read());
    },
    stop(units) {
      if (packages.length === 0 || started === undefined) return;
      const microjoules = packages.reduce((sum, { read, range }, i) => {
        const passed = read() - started![i]!;
        return sum + (passed < 0 ? passed + range : passed); // the counter began anew
      }, 0);
      joules.push(microjoules / 1e6 / units);
    },
    joulesPerUnit: () => (joules.length === 0 ? null : median(joules)),
  };
}

interface Counter {
  /** Microjoules, up to `range`. */
  read(): number;
  readonly range: number;
}

/** One a package, "intel-rapl:0"; what has two colons is a part of one. */
function packageCounters(folder: string): Counter[] {
  const files = builtIn("node:fs");
  if (files === undefined) return []; // a page is shown none
  try {
    const domains = files.readdirSync(folder).filter((name) => /^intel-rapl:\d+$/.test(name));
    return domains.map((name) => {
      const number = (file: string) => Number(files.readFileSync(`${folder}/${name}/${file}`, "utf8"));
      number("energy_uj"); // fails here, and not in a round, where it may not be read
      return { read: () => number("energy_uj"), range: number("max_energy_range_uj") };
    });
  } catch {
    return []; // no such folder, or no right to read it
  }
}
