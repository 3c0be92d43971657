/** The first item, and every so many-th behind it. */
export const everyNth = <T>(items: readonly T[], step: number): T[] => items.filter((_, i) => i % step === 0);
