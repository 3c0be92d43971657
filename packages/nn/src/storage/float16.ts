import { cast, hostTensor, toFloat16 } from "@finegrain/graph";
import type { Form } from "./form.ts";

/** The nearest float16 of every number. */
export const float16: Form = {
  types: ({ shape }) => ({ "": { dtype: "float16", shape } }),
  store: ({ shape, data }) => ({ "": hostTensor("float16", shape, Uint16Array.from(data, toFloat16)) }),
  restore: (parts) => cast(parts[""]!, "float32"),
};
