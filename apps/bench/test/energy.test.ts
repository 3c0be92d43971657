import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { energyMeter } from "../src/measure/energy.ts";

function powercap(domains: Record<string, number>) {
  const folder = mkdtempSync(join(tmpdir(), "powercap-"));
  const set = (name: string, microjoules: number) => writeFileSync(join(folder, name, "energy_uj"), `${microjoules}\n`);
  for (const [name, microjoules] of Object.entries(domains)) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, "max_energy_range_uj"), "10000000\n");
    set(name, microjoules);
  }
  return { folder, set };
}

test("adds the packages, without their parts, and divides by the units", () => {
  const { folder, set } = powercap({
    "intel-rapl:0": 1e6,
    "intel-rapl:1": 0,
    "intel-rapl:0:0": 0,
    "intel-rapl-mmio:0": 0,
  });
  const meter = energyMeter(folder);
  meter.start();
  set("intel-rapl:0", 4e6);
  set("intel-rapl:1", 1e6);
  set("intel-rapl:0:0", 9e6);
  meter.stop(2);
  expect(meter.joulesPerUnit()).toBe(2);
});

test("a counter that began anew", () => {
  const { folder, set } = powercap({ "intel-rapl:0": 9e6 });
  const meter = energyMeter(folder);
  meter.start();
  set("intel-rapl:0", 1e6);
  meter.stop(1);
  expect(meter.joulesPerUnit()).toBe(2);
});

test("is null where the system does not tell", () => {
  const meter = energyMeter(join(tmpdir(), "no-such-folder"));
  meter.start();
  meter.stop(3);
  expect(meter.joulesPerUnit()).toBeNull();
});
