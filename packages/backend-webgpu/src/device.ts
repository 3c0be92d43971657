import { FinegrainError, Once } from "@finegrain/graph";
import { type Failure, firstOf } from "./failure.ts";
import type { Naps } from "./naps.ts";
import { type Allocation, Pool } from "./pool.ts";
import type { Shader } from "./render/shader.ts";
import type { Target } from "./render/target.ts";

/** Numbers on their way to the host. */
interface Staged {
  readonly staging: Allocation;
  /** Of the numbers. */
  readonly bytes: number;
  /** Of the copy: a multiple of four. */
  readonly size: number;
}

/** A GPU that was opened: its memory, its pipelines and its end. */
export class Device {
  readonly name: string;
  readonly gpu: GPUDevice;
  readonly target: Target;
  /** Tensors and temporaries. */
  readonly tensors: Pool;
  /** What the host reads. */
  readonly staging: Pool;
  readonly #pipelines = new Once<string, GPUComputePipeline>();
  readonly #naps: Naps | undefined;
  /** Why nothing runs any more. */
  #end: string | undefined;

  /** @param naps taken while something is awaited, where that leaves the device more of the CPU. */
  constructor(name: string, gpu: GPUDevice, target: Target, naps?: Naps) {
    this.name = name;
    this.#naps = naps;
    this.gpu = gpu;
    this.target = target;
    const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
    this.tensors = new Pool(gpu, STORAGE | COPY_SRC | COPY_DST);
    this.staging = new Pool(gpu, MAP_READ | COPY_DST);
    void gpu.lost.then(({ reason, message }) => {
      this.#end ??= reason === "destroyed" ? "was closed" : `was lost (${firstLine({ message })})`;
    });
    // What no scope catches is a defect of ours: the next read says it.
    gpu.addEventListener("uncapturederror", ({ error }) => {
      this.#end ??= `refused a command (${firstLine(error)})`;
    });
  }

  /** @throws FinegrainError where the device was lost, closed or has refused a command. */
  expectAlive(): void {
    if (this.#end !== undefined) throw new FinegrainError(`${this.name} ${this.#end}: open the backend again`);
  }

  /** The pipeline of a shader, compiled once for all that have the same text. @throws FinegrainError where it does not compile. */
  pipeline(shader: Shader): Promise<GPUComputePipeline> {
    return this.#pipelines.get(shader.text, () => this.#compile(shader));
  }

  async #compile({ text, name }: Shader): Promise<GPUComputePipeline> {
    this.expectAlive();
    const label = name.slice(0, 60);
    this.gpu.pushErrorScope("validation");
    const module = this.gpu.createShaderModule({ label, code: text });
    const pipeline = this.gpu.createComputePipelineAsync({
      label,
      layout: "auto",
      compute: { module, entryPoint: "main" },
    });
    const scope = this.gpu.popErrorScope();
    const [made] = await this.#patiently(Promise.allSettled([pipeline, scope]));
    if (made.status === "fulfilled") return made.value;
    this.expectAlive();
    const { messages } = await module.getCompilationInfo();
    const first = messages.find(({ type }) => type === "error");
    const line = first && text.split("\n")[first.lineNum - 1]?.trim();
    const why = first ? `${first.message} in "${line}"` : firstLine(made.reason as Error);
    throw new FinegrainError(`the shader of ${name} does not compile on ${this.name}: ${why}`, { cause: made.reason });
  }

  #patiently<T>(awaited: Promise<T>): Promise<T> {
    return this.#naps?.while(awaited) ?? awaited;
  }

  /** @returns why the device refused what `give` gives it to do, if it did. */
  attempt(what: string, give: () => void): Failure {
    this.gpu.pushErrorScope("validation");
    let refused: Promise<GPUError | null>;
    try {
      give();
    } finally {
      refused = this.gpu.popErrorScope();
      refused.catch(() => {}); // the device was lost
    }
    return refused.then(
      (error) => (error ? new FinegrainError(`${what} failed on ${this.name}: ${firstLine(error)}`) : undefined),
      () => undefined,
    );
  }

  /** Submit what `record` encodes. */
  submit(what: string, record: (encoder: GPUCommandEncoder) => void): Failure {
    return this.attempt(what, () => {
      const encoder = this.gpu.createCommandEncoder();
      record(encoder);
      this.gpu.queue.submit([encoder.finish()]);
    });
  }

  /** Copy bytes to an allocation. */
  write({ gpu, failure }: Allocation, at: number, bytes: Uint8Array<ArrayBuffer>, what: string): Failure {
    return firstOf([failure, this.attempt(what, () => this.gpu.queue.writeBuffer(gpu, at, bytes))]);
  }

  /** The numbers of an allocation as bytes. @throws FinegrainError where the device ended. */
  async read(allocation: Allocation, bytes: number): Promise<ArrayBuffer> {
    this.expectAlive();
    let staged: Staged;
    const copied = this.submit("a read", (encoder) => {
      staged = this.stage(encoder, allocation, bytes);
    });
    return this.collect(staged!, copied); // set by what submits
  }

  /** Record the copy of an allocation's numbers to where the host can read them. */
  stage(encoder: GPUCommandEncoder, { gpu }: Allocation, bytes: number): Staged {
    const size = Math.ceil(Math.max(bytes, 1) / 4) * 4;
    const staging = this.staging.take(size, "a tensor that is read");
    encoder.copyBufferToBuffer(gpu, 0, staging.gpu, 0, size);
    return { staging, bytes, size };
  }

  /**
   * Staged numbers as bytes, once the device has done what it was given to do until now.
   * @param copied the failure of the commands that copy them.
   * @throws FinegrainError where the device ended.
   */
  async collect({ staging, bytes, size }: Staged, copied: Failure): Promise<ArrayBuffer> {
    const mapping: Promise<undefined>[] = [];
    const mapped = this.attempt("a read", () => mapping.push(staging.gpu.mapAsync(GPUMapMode.READ, 0, size)));
    try {
      await this.#patiently(Promise.all(mapping));
    } catch (cause) {
      const failure = await firstOf([staging.failure, copied, mapped]);
      this.staging.give(staging);
      this.expectAlive();
      throw failure ?? new FinegrainError(`${this.name} could not be read: ${firstLine(cause as Error)}`, { cause });
    }
    const copy = staging.gpu.getMappedRange(0, size).slice(0, bytes);
    staging.gpu.unmap();
    this.staging.give(staging);
    this.expectAlive();
    return copy;
  }

  close(): void {
    this.#end ??= "was closed";
    this.gpu.destroy();
  }
}

/** What Dawn writes below it is for its own developers. */
const firstLine = ({ message }: { readonly message: string }): string => message.split("\n")[0]!; // there is one
