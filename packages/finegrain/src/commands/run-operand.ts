/** What commands about a trained model work on. */
export const runOperand = {
  name: "RUN",
  required: true,
  help: "a run folder, a checkpoint in one, or a model as finegrain import takes it",
} as const;
