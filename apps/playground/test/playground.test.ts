// @module-tag chromium
import { describe } from "vitest";
import { docs } from "./docs.ts";
import { measuring } from "./measuring.ts";
import { memory } from "./memory.ts";
import { onStage } from "./stage.ts";
import { thePage } from "./the-page.ts";
import { training } from "./training.ts";
import { watching } from "./watching.ts";
import { withLess } from "./with-less.ts";

// One file, so that one build of the page and one browser serve all.
const stage = onStage();

describe("watch", () => watching(stage));
describe("train", () => training(stage));
describe("measure", () => measuring(stage));
describe("a browser that has less", () => withLess(stage));
describe("memory", () => memory(stage));
describe("the page", () => thePage(stage));
describe("the docs", () => docs(stage));
