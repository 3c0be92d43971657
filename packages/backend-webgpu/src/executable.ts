import {
  bytesOfType,
  type MemoryPlan,
  type Program,
  type ProgramBuffer,
  type ScheduleOptions,
} from "@finegrain/codegen";
import { type DeviceProgram, type DriverOptions, inTurns, type KernelTime, type Turns } from "@finegrain/graph";
import { arranging, expectBindable } from "./arrange.ts";
import { DeviceTensor } from "./buffer.ts";
import type { Clock } from "./clock.ts";
import type { Device } from "./device.ts";
import { firstOf } from "./failure.ts";
import type { Allocation } from "./pool.ts";
import type { Binding } from "./render/bindings.ts";
import { renderDispatch, type Shader } from "./render/shader.ts";

/** A dispatch that is ready to be recorded. */
interface Step {
  readonly shader: Shader;
  readonly pipeline: GPUComputePipeline;
  readonly workgroups: readonly [x: number, y: number];
  /** Of its temporaries, for the uniform. */
  readonly offsets: GPUBuffer | undefined;
  /** Bind groups by the buffers that are bound. */
  readonly groups: Map<string, GPUBindGroup>;
}

/** Bind groups of one dispatch that are kept: a decode step has two or so sets of buffers. */
const MOST_GROUPS = 8;
/** Bytes of an output that is small. */
const SMALL = 1024;
/** Workgroups along one dimension of a dispatch. */
const MOST_ALONG = 65_535;

/** A program on the device: its shaders, its temporaries and its constants. */
export class Loaded {
  readonly program: Program;
  readonly steps: readonly Step[];
  readonly device: Device;
  /** The slabs of the temporaries and constants. */
  readonly memory: readonly Allocation[];

  private constructor(device: Device, program: Program, steps: readonly Step[], memory: readonly Allocation[]) {
    this.device = device;
    this.program = program;
    this.steps = steps;
    this.memory = memory;
  }

  static async load(device: Device, program: Program, scheduling: ScheduleOptions): Promise<Loaded> {
    const { shaders, plan } = await inTurns(rendering(device, program, scheduling));
    const pipelines = await Promise.all(shaders.map((shader) => device.pipeline(shader)));
    const memory = await takeArena(device, program, plan);
    device.expectAlive();
    const steps = shaders.map((shader, k) => ({
      shader,
      pipeline: pipelines[k]!,
      workgroups: along(shader.workgroups),
      offsets: offsetsOf(device, shader, plan),
      groups: new Map<string, GPUBindGroup>(),
    }));
    return new Loaded(device, program, steps, memory);
  }

  /** Record all dispatches: in one pass, or in one each where they are timed. @param given the buffer of every input and output. */
  record(encoder: GPUCommandEncoder, given: ReadonlyMap<ProgramBuffer, Allocation>, clock: Clock | undefined): void {
    let pass = encoder.beginComputePass(clock?.descriptor(0));
    for (const [k, step] of this.steps.entries()) {
      if (clock && k > 0) {
        pass.end();
        pass = encoder.beginComputePass(clock.descriptor(k));
      }
      pass.setPipeline(step.pipeline);
      pass.setBindGroup(0, this.#group(step, given));
      pass.dispatchWorkgroups(...step.workgroups);
    }
    pass.end();
  }

  #group({ shader, pipeline, offsets, groups }: Step, given: ReadonlyMap<ProgramBuffer, Allocation>): GPUBindGroup {
    const allocations = shader.bindings.map((binding) => this.#allocation(binding, given));
    const key = allocations.map((allocation) => allocation?.id).join();
    const known = groups.get(key);
    if (known) return known;
    const entries = shader.bindings.map((binding, k) => ({
      binding: k,
      resource:
        binding.kind === "buffer"
          ? { buffer: allocations[k]!.gpu, offset: binding.offset, size: binding.bytes }
          : { buffer: allocations[k]?.gpu ?? offsets! },
    }));
    const group = this.device.gpu.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
    if (groups.size >= MOST_GROUPS) groups.delete(groups.keys().next().value!); // there is one
    groups.set(key, group);
    return group;
  }

  #allocation(binding: Binding, given: ReadonlyMap<ProgramBuffer, Allocation>): Allocation | undefined {
    switch (binding.kind) {
      case "offsets":
        return undefined;
      case "arena":
        return this.memory[binding.slab];
      case "buffer":
        return given.get(binding.buffer);
    }
  }

  dispose(): void {
    for (const allocation of this.memory) this.device.tensors.give(allocation);
    for (const { offsets } of this.steps) offsets?.destroy();
  }
}

/** Write a program's shaders, in turns. */
function* rendering(
  device: Device,
  program: Program,
  scheduling: ScheduleOptions,
): Turns<{ readonly shaders: readonly Shader[]; readonly plan: MemoryPlan }> {
  const { dispatches, plan } = yield* arranging(program, scheduling, device.target.bindingBytes);
  const shaders: Shader[] = [];
  for (const dispatch of dispatches) {
    const shader = renderDispatch(dispatch, plan, device.target);
    yield;
    if (shader.workgroups === 0) continue;
    expectBindable(shader, program, scheduling, device);
    shaders.push(shader);
  }
  return { shaders, plan };
}

const along = (workgroups: number): [x: number, y: number] => {
  const y = Math.ceil(workgroups / MOST_ALONG);
  return [Math.ceil(workgroups / y), y];
};

/** @throws FinegrainError where the device has no memory for it. */
async function takeArena(device: Device, program: Program, plan: MemoryPlan): Promise<Allocation[]> {
  const { bindingBytes } = device.target;
  const what = `the temporaries of graph "${program.name}"`;
  const count = Math.max(1, Math.ceil(plan.bytes / bindingBytes)); // one for those of no elements, too
  const slabs = Array.from({ length: count }, (_, k) =>
    device.tensors.take(Math.min(bindingBytes, plan.bytes - k * bindingBytes), what),
  );
  const written = [...plan.offsets].flatMap(([{ place, dtype }, offset]) => {
    if (place.kind !== "constant") return [];
    const array = dtype === "float32" ? Float32Array : Int32Array;
    const bytes = new Uint8Array(array.from(place.data).buffer);
    return Array.from({ length: Math.ceil(bytes.length / bindingBytes) }, (_, k) => {
      const [at, part] = [offset + k * bindingBytes, bytes.subarray(k * bindingBytes, (k + 1) * bindingBytes)];
      return device.write(slabs[Math.floor(at / bindingBytes)]!, at % bindingBytes, part, what);
    });
  });
  const failure = await firstOf([...slabs.map((slab) => slab.failure), ...written]);
  if (!failure) return slabs;
  for (const slab of slabs) device.tensors.give(slab);
  throw failure;
}

function offsetsOf(device: Device, { temporaries }: Shader, plan: MemoryPlan): GPUBuffer | undefined {
  if (temporaries.length === 0) return undefined;
  const elements = new Uint32Array(Math.ceil(temporaries.length / 4) * 4);
  temporaries.forEach((buffer, k) => {
    elements[k] = ((plan.offsets.get(buffer) ?? 0) % device.target.bindingBytes) / (device.target.cpu ? 16 : 4);
  });
  const uniform = device.gpu.createBuffer({
    size: elements.byteLength,
    usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  });
  device.gpu.queue.writeBuffer(uniform, 0, elements);
  return uniform;
}

/** A graph as compute shaders: a run is one command buffer. */
export class WebGpuProgram implements DeviceProgram<DeviceTensor> {
  readonly #loaded: Loaded;
  /** Donated inputs that no output takes over. */
  readonly #spent: readonly number[];
  readonly #clock: Clock | undefined;
  /** Small outputs that were read of an earlier run: each run brings them to the host, and a read waits for no run behind it. */
  readonly #brought = new Set<number>();
  readonly dispatches: number;
  readonly profile?: () => KernelTime[];

  constructor(loaded: Loaded, donate: DriverOptions["donate"], clock?: Clock) {
    const { outputs } = loaded.program;
    const kept = new Set(outputs.flatMap(({ place }) => (place.kind === "input" ? [place.index] : [])));
    this.#loaded = loaded;
    this.#spent = donate.map(([input]) => input).filter((i) => !kept.has(i));
    this.#clock = clock;
    this.dispatches = loaded.steps.length;
    if (clock) this.profile = () => clock.take();
  }

  run(inputs: readonly DeviceTensor[]): DeviceTensor[] {
    const { device } = this.#loaded;
    device.expectAlive();
    const outputs = this.#submit(inputs);
    for (const i of this.#spent) device.tensors.give(inputs[i]!.allocation);
    return outputs;
  }

  #submit(given: readonly DeviceTensor[]): DeviceTensor[] {
    const { program, device } = this.#loaded;
    const bound = new Map(program.inputs.map((buffer, i) => [buffer, given[i]!.allocation]));
    const types = program.graph.outputs.map(({ dtype, shape }) => ({ dtype, shape }));
    const taken = program.outputs.flatMap((buffer, i) => {
      if (buffer.place.kind !== "output") return [];
      const allocation = device.tensors.take(bytesOfType(types[i]!), `output ${i} of graph "${program.name}"`);
      bound.set(buffer, allocation);
      return [allocation.failure];
    });
    let readClock: (() => void) | undefined;
    const staged = new Map<number, ReturnType<Device["stage"]>>();
    const submitted = device.submit(`graph "${program.name}"`, (encoder) => {
      this.#loaded.record(encoder, bound, this.#clock);
      readClock = this.#clock?.resolve(encoder);
      for (const i of this.#brought)
        staged.set(i, device.stage(encoder, bound.get(program.outputs[i]!)!, bytesOfType(types[i]!)));
    });
    readClock?.();
    // An input's own failure has that of its memory in it.
    const failure = firstOf([...given.map(({ failure }) => failure), ...taken, submitted]);
    return program.outputs.map((buffer, i) => {
      const bytes = staged.get(i);
      const brought = bytes && device.collect(bytes, submitted);
      brought?.catch(() => {}); // it may never be read
      const onRead = bytesOfType(types[i]!) <= SMALL ? () => this.#brought.add(i) : undefined;
      return new DeviceTensor(bound.get(buffer)!, failure, {
        ...(brought && { brought }),
        ...(onRead && { onRead }),
      });
    });
  }

  [Symbol.dispose](): void {
    this.#loaded.dispose();
    this.#clock?.dispose();
  }
}
