import { chmodSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defaults, NormalQueue, NullQueue, openQueue, SimpleQueue, type QueueOptions } from "@spoolwire/dirq";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";

let top: string;
let path: string;
beforeEach(() => {
  top = temporaryDirectory("options");
  path = join(top, "queue");
});
afterEach(() => {
  chmodSync(top, 0o700);
  removeDirectory(top);
});

test("a queue needs nothing but its path", () => {
  expect(openQueue({ path })).toBeInstanceOf(SimpleQueue);
  expect(existsSync(path)).toBe(true);
});

test("options that are undefined have their defaults", () => {
  const options = { create: undefined, granularity: undefined, maxlock: undefined, maxtemp: undefined };
  const more = { rndhex: undefined, umask: undefined };
  const queue = new SimpleQueue({ path, ...options, ...more } as unknown as QueueOptions);
  expect(queue.add("")).toMatch(/^[0-9a-f]{8}\/[0-9a-f]{14}$/);
});

test("the defaults are those of the other implementations, and nobody changes them", () => {
  expect(defaults).toEqual({
    ...{
      create: true,
      durability: "none",
      granularity: 60,
      maxelts: 16_000,
      maxlock: 600,
      maxtemp: 300,
      nlink: false,
    },
  });
  expect(Object.isFrozen(defaults)).toBe(true);
});

test("a queue is opened by its type", () => {
  expect(openQueue({ type: "simple", path, granularity: 0 })).toBeInstanceOf(SimpleQueue);
  const normal = openQueue({
    type: "normal",
    path: join(top, "normal"),
    schema: { body: "string" },
    maxelts: 5,
  });
  expect(normal.add({ body: "hello" })).toMatch(/^00000000\//);
  expect(normal).toBeInstanceOf(NormalQueue);
  expect(openQueue({ type: "null" })).toBeInstanceOf(NullQueue);
  expect(openQueue({ type: "null", path }).path).toBe(path);
});

test.each<[object, string]>([
  [
    { type: "normal", granularity: 60 },
    "Unknown option `granularity` of a normal queue, expected one of path, create, durability, maxlock, maxtemp, rndhex, umask, maxelts, nlink, schema",
  ],
  [
    { type: "simple", maxelts: 5 },
    "Unknown option `maxelts` of a simple queue, expected one of path, create",
  ],
  [{ schema: { body: "string" } }, "Unknown option `schema` of a simple queue"],
  [{ type: "null", create: true }, "Unknown option `create` of a null queue, expected one of path"],
  [{ type: "null", path: 7 }, "Expected `path` to be the path of a directory, got 7 (number)"],
  [{ type: "Simple" }, "Expected `type` to be one of simple, normal, null, got 'Simple' (string)"],
  [{ type: null }, "got null (object)"],
  [{ type: "normal", schema: "body" }, "Expected `schema` to be an object of field names and types"],
])("the options are those of the type: %j is refused", (options, text) => {
  const open = () => openQueue({ path, ...options } as QueueOptions);
  expect(open).toThrow(TypeError);
  expect(open).toThrow(text);
  expect(existsSync(path)).toBe(false);
});

test.each<[string, unknown, string]>([
  ["maxelts", 0, "to be an integer >= 1, got 0 (number)"],
  ["maxelts", -1, "got -1 (number)"],
  ["maxelts", 1.5, "got 1.5 (number)"],
  ["maxelts", "5", "got '5' (string)"],
  ["nlink", 1, "to be true or false, got 1 (number)"],
  ["rndhex", 16, "to be an integer from 0 to 15, got 16 (number)"],
  ["path", "", "to be the path of a directory, got ''"],
])("%s of a normal queue is refused: %j", (name, value, text) => {
  const open = () => new NormalQueue({ path, [name]: value });
  expect(open).toThrow(`Expected \`${name}\` ${text.startsWith("to") ? "" : "to be"}`.trimEnd());
  expect(open).toThrow(text);
  expect(existsSync(path)).toBe(false);
});

test("a normal queue without `create` makes nothing, and works where there are no directories of its own", () => {
  const schema = { body: "string" };
  expect(() => new NormalQueue({ path, schema, create: false })).toThrow(
    expect.objectContaining({ code: "ENOENT" }),
  );
  new SimpleQueue({ path });
  const queue = new NormalQueue({ path, schema, create: false });
  expect(readdirSync(path)).toEqual([]);
  expect(queue.add({ body: "hello" })).toMatch(/^00000000\//);
  expect(queue.count()).toBe(1);
});

const refused: [string, unknown, string][] = [
  ["create", "yes", "to be true or false, got 'yes' (string)"],
  ["create", 1, "got 1 (number)"],
  ["create", null, "got null (object)"],
  ["granularity", -1, "to be an integer from 0 to 4294967295, got -1 (number)"],
  ["granularity", 0x100000000, "got 4294967296 (number)"],
  ["granularity", 1.5, "got 1.5 (number)"],
  ["granularity", Number.NaN, "got NaN (number)"],
  ["granularity", "60", "got '60' (string)"],
  ["granularity", 60n, "got 60n (bigint)"],
  ["maxlock", -1, "to be an integer >= 0, got -1 (number)"],
  ["maxlock", Infinity, "got Infinity (number)"],
  ["maxlock", null, "got null (object)"],
  ["maxtemp", -1, "to be an integer >= 0, got -1 (number)"],
  ["maxtemp", "", "got '' (string)"],
  ["rndhex", 16, "to be an integer from 0 to 15, got 16 (number)"],
  ["rndhex", -1, "got -1 (number)"],
  ["rndhex", "a", "got 'a' (string)"],
  ["umask", 0o1000, "to be an integer from 0 to 511, got 512 (number)"],
  ["umask", "022", "got '022' (string)"],
  ["path", "", "to be the path of a directory, got ''"],
  ["path", undefined, "got undefined"],
  ["path", 7, "got 7"],
  ["path", "a\0b", "got 'a\\x00b'"],
];

test.each(refused)(
  "%s is refused: the message names it, what it may be and what came (%#)",
  (name, value, text) => {
    const isOutOfRange = typeof value === "number" && !["create", "path"].includes(name);
    const open = () => new SimpleQueue({ path, [name]: value });
    expect(open).toThrow(isOutOfRange ? RangeError : TypeError);
    expect(open).toThrow(`Expected \`${name}\``);
    expect(open).toThrow(text);
    expect(existsSync(path)).toBe(false);
  },
);

test("an unknown option is refused, with those that there are", () => {
  expect(() => new SimpleQueue({ path, maxlok: 5 } as QueueOptions)).toThrow(
    new TypeError(
      "Unknown option `maxlok` of a simple queue, expected one of path, create, durability, maxlock, maxtemp, rndhex, umask, granularity",
    ),
  );
  expect(() => openQueue({ path, type: "complex" as "simple" })).toThrow(
    new TypeError("Expected `type` to be one of simple, normal, null, got 'complex' (string)"),
  );
  expect(existsSync(path)).toBe(false);
});

test("without `create` a directory must be there", () => {
  expect(() => new SimpleQueue({ path, create: false })).toThrow(expect.objectContaining({ code: "ENOENT" }));
  expect(existsSync(path)).toBe(false);
  new SimpleQueue({ path });
  expect(new SimpleQueue({ path, create: false }).count()).toBe(0);
});

test.each([
  { create: true, code: "EEXIST" },
  { create: false, code: "ENOTDIR" },
])("a path that is a file is $code when `create` is $create", ({ create, code }) => {
  writeFileSync(path, "");
  expect(() => new SimpleQueue({ path, create })).toThrow(expect.objectContaining({ code }));
  expect(() => new SimpleQueue({ path: join(path, "below"), create })).toThrow(
    expect.objectContaining({ code: "ENOTDIR" }),
  );
});
