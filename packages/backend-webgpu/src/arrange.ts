import {
  bytesOf,
  type Dispatch,
  type MemoryPlan,
  type Program,
  type ProgramBuffer,
  planningMemory,
  type ScheduleOptions,
  scheduling,
} from "@finegrain/codegen";
import { FinegrainError, inputName, type Turns, typeName } from "@finegrain/graph";
import type { Device } from "./device.ts";
import { amount } from "./pool.ts";
import type { Shader } from "./render/shader.ts";

/** When kernels run, and where what they leave for others is: an arena that is cut into slabs of one binding each. */
export interface Arrangement {
  readonly dispatches: readonly Dispatch[];
  readonly plan: MemoryPlan;
}

/** Schedule a program and plan its memory, in turns. What runs at once lives at once, so that the slabs are known when the schedule is. */
export function* arranging(program: Program, options: ScheduleOptions, bindingBytes: number): Turns<Arrangement> {
  for (let slabs = 1; ; ) {
    const dispatches = yield* scheduling(program, { ...options, bindingBytes, slabs });
    const steps = dispatches.map(({ branches }) => branches.flatMap(({ kernels }) => kernels));
    const plan = yield* planningMemory(program, steps, bindingBytes);
    const needed = Math.ceil(plan.bytes / bindingBytes);
    if (needed <= slabs) return { dispatches, plan };
    slabs = needed;
  }
}

/** @throws FinegrainError where a shader, which is of one kernel then, needs more bindings than there are. */
export function expectBindable(
  shader: Shader,
  program: Program,
  { maxBuffers }: ScheduleOptions,
  device: Device,
): void {
  const needed = shader.bindings.filter(({ kind }) => kind !== "offsets").length;
  if (needed <= maxBuffers) return;
  const given = shader.bindings.flatMap((binding) => (binding.kind === "buffer" ? [binding.buffer] : []));
  const largest = [...given, ...shader.temporaries].reduce((a, b) => (bytesOf(b) > bytesOf(a) ? b : a));
  const { bindingBytes } = device.target;
  const own = Math.ceil(bytesOf(largest) / bindingBytes);
  throw new FinegrainError(
    `${shader.name} of graph "${program.name}" needs ${needed} storage bindings of ${amount(bindingBytes)}, where ${device.name} has ${maxBuffers}: ${nameOf(largest, program)} alone takes ${own}`,
  );
}

function nameOf(buffer: ProgramBuffer, { graph }: Program): string {
  const { place } = buffer;
  if (place.kind !== "input" && place.kind !== "output") return `a temporary of ${amount(bytesOf(buffer))}`;
  const tensor = graph[place.kind === "input" ? "inputs" : "outputs"][place.index]!;
  return `${place.kind} ${inputName(tensor) ?? place.index} of ${typeName(tensor)}`;
}
