import { catalog } from "../../definition/catalog.ts";
import { denseLoss, lowRankLoss, multiplicativeLoss, tiedLoss } from "./loss-layers.ts";

/** Every loss layer, in the order in which they are listed. */
export const losses = catalog(denseLoss, multiplicativeLoss, lowRankLoss, tiedLoss);
