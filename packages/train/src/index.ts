export * from "./clip.ts";
export * from "./data/index.ts";
export * from "./evaluator.ts";
export * from "./objective.ts";
export * from "./optimizers/index.ts";
export * from "./schedules.ts";
export * from "./train-step.ts";
export * from "./trainer.ts";
