import { catalog } from "../../definition/catalog.ts";
import { denseAttention } from "./dense-attention.ts";
import { featureAttention } from "./favor-attention.ts";
import { hashedAttention } from "./hashed-attention.ts";
import { lowRankAttention } from "./low-rank-attention.ts";
import { convolutionalAttention, modularAttention } from "./modular-attention.ts";
import { multiplicativeAttention, multiplicativeModularAttention } from "./multiplicative-attention.ts";
import { multiplicativeConvolutionalAttention } from "./multiplicative-convolutional-attention.ts";

/** Every attention layer, in the order in which they are listed. */
export const attentions = catalog(
  denseAttention,
  multiplicativeConvolutionalAttention,
  multiplicativeAttention,
  multiplicativeModularAttention,
  modularAttention,
  convolutionalAttention,
  lowRankAttention,
  hashedAttention,
  featureAttention,
);
