import { FinegrainError } from "@finegrain/graph";

/**
 * `value / divisor`, where that is whole.
 * @throws FinegrainError with both names and numbers where it is not, or one of them is no positive integer.
 */
export function expectDivisible(owner: string, name: string, value: number, by: string, divisor: number): number {
  expectPositive(owner, name, value);
  expectPositive(owner, by, divisor);
  if (value % divisor !== 0)
    throw new FinegrainError(`${owner}: ${name} ${value} is not a multiple of ${by} ${divisor}`);
  return value / divisor;
}

/** @throws FinegrainError where `value` is no positive integer. */
export function expectPositive(owner: string, name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1)
    throw new FinegrainError(`${owner}: ${name} must be a positive integer, not ${value}`);
}

/** @throws FinegrainError where `value` is more than `limit`. */
export function expectAtMost(owner: string, name: string, value: number, by: string, limit: number): void {
  if (!(value <= limit)) throw new FinegrainError(`${owner}: ${name} ${value} is more than ${by} ${limit}`);
}

/** @throws FinegrainError where `value` is given and not one of `allowed`. */
export function expectOneOf(name: string, value: string | undefined, allowed: readonly string[]): void {
  if (value !== undefined && !allowed.includes(value))
    throw new FinegrainError(`${name} must be one of ${allowed.join(", ")}, not "${value}"`);
}
