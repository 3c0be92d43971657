/** A row of the paper's table that a suite repeats. */
export interface PaperTable {
  readonly suite: string;
  /** How its cases begin. */
  readonly model: string;
  /** Seconds that decoding one token took there, by our variant's name. */
  readonly seconds: Readonly<Record<string, number>>;
  readonly unit: string;
}

/**
 * Decoding time of one token, unbatched, on the paper's CPU: Jaszczur et al. 2021, "Sparse is Enough in Scaling
 * Transformers", table 1. The 17B model does not fit most machines: its suite is one block, as the table's last column.
 */
export const PAPER: readonly PaperTable[] = [
  {
    suite: "paper-800m",
    model: "800M",
    seconds: { dense: 0.16, "sparse-ff": 0.093, "sparse-qkv": 0.152, "sparse-ff-qkv": 0.061 },
    unit: "a token",
  },
  {
    suite: "paper-17b-block",
    model: "17B",
    seconds: { dense: 0.581, "sparse-ff": 0.259, "sparse-qkv": 0.554, "sparse-ff-qkv": 0.014 },
    unit: "a token and block",
  },
];

/** Speed over the dense variant's that the paper's table says; nothing where it has no such variant. */
export function paperSpeedUp({ seconds }: PaperTable, variant: string): number | undefined {
  const [dense, time] = [seconds.dense, seconds[variant]];
  return dense === undefined || time === undefined ? undefined : dense / time;
}
