import { expect, test } from "vitest";
import { jsonLines } from "../src/peers/json-lines.ts";

/** A process that runs `body` for every line. */
const server = (body: string) =>
  jsonLines("fake", process.execPath, [
    "-e",
    `require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => { ${body} });`,
  ]);

test("answers come to those who asked, in order", async () => {
  await using lines = server("console.log(line)");
  const answers = await Promise.all([1, 2, 3].map((n) => lines.request({ n })));
  expect(answers).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
});

test("an error that is answered is the request's alone", async () => {
  await using lines = server('console.log(line.includes("bad") ? JSON.stringify({ error: "out of memory" }) : "{}")');
  await expect(lines.request({ bad: true })).rejects.toThrow("fake: out of memory");
  expect(await lines.request({})).toEqual({});
});

test("what is no JSON object ends it", async () => {
  await using lines = server('console.log("Hello!")');
  await expect(lines.request({})).rejects.toThrow("fake answered what is no JSON object: Hello!");
  await expect(lines.request({})).rejects.toThrow("fake wrote what nobody asked for: Hello!");
});

test("a process that ends says why, to the request at hand and to those behind it", async () => {
  await using lines = server('console.error("first\\nlast words"); process.exit(3)');
  await expect(lines.request({})).rejects.toThrow("fake ended (exit code 3): last words");
  await expect(lines.request({})).rejects.toThrow("fake ended (exit code 3): last words");
});

test("a program that is not there is a sentence", async () => {
  await using lines = jsonLines("fake", "finegrain-has-no-such-program", []);
  await expect(lines.request({})).rejects.toThrow(
    "fake could not be started: spawn finegrain-has-no-such-program ENOENT",
  );
});

test("a process that does not end by itself is killed", async () => {
  const lines = server("console.log(JSON.stringify({ pid: process.pid })); setInterval(() => {}, 1000)");
  const { pid } = await lines.request({});
  expect(process.kill(Number(pid), 0)).toBe(true);
  await lines[Symbol.asyncDispose]();
  expect(() => process.kill(Number(pid), 0)).toThrow("ESRCH");
});
