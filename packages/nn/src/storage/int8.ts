import { cast, type HostTensor, hostTensor, INT8_LARGEST, mul, type Shape } from "@finegrain/graph";
import type { Form } from "./form.ts";

const SCALE = ".scale";

/** round(w / scale), where a row's scale, float32 `PATH.scale` [rows, 1...], is its largest magnitude over 127. */
export const int8: Form = {
  types: ({ shape }) => ({
    "": { dtype: "int8", shape },
    [SCALE]: { dtype: "float32", shape: ofRows(shape) },
  }),
  store: quantize,
  restore: (parts) => mul(cast(parts[""]!, "float32"), parts[SCALE]!),
};

const ofRows = (shape: Shape): Shape => shape.map((extent, axis) => (axis === 0 ? extent : 1));

function quantize({ shape, data }: HostTensor) {
  const rows = shape[0]!;
  const width = data.length / rows;
  const quantized = new Int8Array(data.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    let largest = 0;
    for (let k = row * width; k < (row + 1) * width; k++) largest = Math.max(largest, Math.abs(data[k]!));
    const scale = Math.fround(largest / INT8_LARGEST);
    scales[row] = scale;
    if (scale > 0) for (let k = row * width; k < (row + 1) * width; k++) quantized[k] = Math.round(data[k]! / scale);
  }
  return { "": hostTensor("int8", shape, quantized), [SCALE]: hostTensor("float32", ofRows(shape), scales) };
}
