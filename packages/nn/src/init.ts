/** How a parameter starts. Data, so that a parameter can be compared and printed. */
export type Init =
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "uniform"; readonly limit: number }
  | { readonly kind: "normal"; readonly std: number }
  | { readonly kind: "sinusoid" };

export const zeros: Init = { kind: "constant", value: 0 };
export const ones: Init = { kind: "constant", value: 1 };
export const normal = (std: number): Init => ({ kind: "normal", std });
/** Keeps the variance of a product with a matrix, forwards and backwards, `gain` times. Glorot and Bengio 2010. */
export const glorot = (fanIn: number, fanOut: number, gain = 1): Init => ({
  kind: "uniform",
  limit: gain * Math.sqrt(6 / (fanIn + fanOut)),
});
/** Rows are positions: see `sinusoidTable`. */
export const sinusoid: Init = { kind: "sinusoid" };

/** Angular rate of column i of the sinusoids: columns 2j and 2j + 1 share 10000^(-2j / width). */
export const sinusoidRate = (column: number, width: number): number => 10000 ** (-(column - (column % 2)) / width);

/** Vaswani et al. 2017, 3.5: sin(position rate) in even columns, cos in odd ones. Row-major [length, width]. */
export const sinusoidTable = (length: number, width: number): Float32Array =>
  Float32Array.from({ length: length * width }, (_, k) => {
    const column = k % width;
    const angle = Math.floor(k / width) * sinusoidRate(column, width);
    return column % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  });
