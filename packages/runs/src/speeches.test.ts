import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { speeches } from "./speeches.ts";

test("the speeches are the documents that every recorded run learned from, in their order", async () => {
  const documents = await speeches();
  expect(documents).toHaveLength(233);
  expect(documents[0]!.name).toBe("1790_george_washington_n.txt");
  const lines = documents.map(({ name, text }) => `${JSON.stringify({ name, text })}\n`).join("");
  expect(createHash("sha256").update(lines).digest("hex")).toBe(
    "3ab0a85d09d31abfaa69b47ce738fa637163b2861d8a6449ef7efc2e9af59099",
  );
});
