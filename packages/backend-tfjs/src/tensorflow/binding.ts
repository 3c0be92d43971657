/**
 * What we call of TensorFlow's binding in tfjs-node: TensorFlow's own operations by name, on tensors that are numbers in its
 * table. Below tfjs's own kernels, it takes a third of their time an operation, and has all that TensorFlow has.
 */
export interface Binding {
  readonly TF_Version: string;
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_SHAPE: number;
  isUsingGpuDevice(): boolean;
  /** Shares the array's memory where TensorFlow can use it as it is. */
  createTensor(shape: readonly number[], dtype: number, data: Float32Array | Int32Array | Uint8Array): number;
  deleteTensor(id: number): void;
  /** A copy of the numbers. */
  tensorDataSync(id: number): Float32Array | Int32Array | Uint8Array;
  /** An attribute that can be told from the inputs may be left out. */
  executeOp(
    name: string,
    attributes: readonly Attribute[],
    inputs: readonly number[],
    outputs: number,
  ): readonly { readonly id: number }[];
  /** How many tensors are in its table. */
  getNumOfTensors(): number;
}

export interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: number | boolean | string | readonly number[];
}

/** TensorFlow's numbers for dtypes: tensorflow/core/framework/types.proto. */
export const DT = { float32: 1, int32: 3, int64: 9, bool: 10, uint32: 22, uint64: 23 } as const;
