/** IEEE 754 half precision, as bits: 1 sign, 5 exponent, 10 fraction. Node 20 has no Float16Array. */
const LARGEST = 65504;
const bits = new DataView(new ArrayBuffer(4));

/** Not a number, with the fraction that hardware gives it. */
const NAN = 0x7e00;
const INFINITE = 0x7c00;

/** The bits of the nearest float16. A finite number that is too large becomes the largest; what is not finite stays so. */
export function toFloat16(value: number): number {
  if (Number.isNaN(value)) return NAN;
  if (!Number.isFinite(value)) return value > 0 ? INFINITE : 0x8000 | INFINITE;
  bits.setFloat32(0, Math.min(LARGEST, Math.max(-LARGEST, value)));
  const word = bits.getUint32(0);
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  // Below 2^-14 the steps are all of 2^-24.
  if (magnitude < 0x38800000) return sign | Math.round(Math.abs(bits.getFloat32(0)) * 2 ** 24);
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | Math.min(0x7bff, (rounded - 0x38000000) >>> 13);
}

/** The number that 16 bits stand for. */
export function fromFloat16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}
