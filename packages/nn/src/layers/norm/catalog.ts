import { catalog } from "../../definition/catalog.ts";
import { layerNorm } from "./layer-norm.ts";
import { rmsNorm } from "./rms-norm.ts";

/** Every norm, in the order in which they are listed. */
export const norms = catalog(layerNorm, rmsNorm);
