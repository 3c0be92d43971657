import { catalog } from "../../definition/catalog.ts";
import { axial } from "./axial-positions.ts";
import { fixedBase } from "./fixed-base-positions.ts";
import { learnedPositions } from "./learned-positions.ts";
import { sinusoidalPositions } from "./sinusoidal-positions.ts";
import { noPositions, rotaryPositions } from "./unplaced.ts";

/** Every way in which positions enter, in the order in which they are listed. */
export const positions = catalog(learnedPositions, sinusoidalPositions, rotaryPositions, axial, fixedBase, noPositions);
