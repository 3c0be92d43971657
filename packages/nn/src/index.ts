export * from "./checkpoint/index.ts";
export * from "./context.ts";
export * from "./definition/index.ts";
export * from "./init.ts";
export * from "./layer.ts";
export * from "./layers/index.ts";
export * from "./models/index.ts";
export * from "./storage.ts";
