// The file that keeps the state of a tree, and what is made of others' files.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Store } from "@spoolwire/simplevisor";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";

let path: string;
beforeEach(() => (path = temporaryDirectory("store")));
afterEach(() => removeDirectory(path));

const open = () => {
  const told: string[] = [];
  const log = { warn: (words: string) => told.push(words) } as unknown as ConstructorParameters<
    typeof Store
  >[1];
  return { store: new Store(join(path, "store"), log), told };
};

const state = {
  name: "app",
  cycles: [true, false],
  children: [
    { name: "inner", cycles: [true], children: [] },
    { name: "web", cycles: [], children: [] },
  ],
};

test("what is saved is loaded again", () => {
  const { store } = open();
  expect(store.load()).toBeUndefined();
  store.save(state);
  expect(store.load()).toEqual(state);
});

test("the original's store is understood, cycles and all", () => {
  const original = {
    d2a57dc1d883fd21fb9951699df71cc7: {
      name: "app",
      cycles: [
        [1700000000, 1],
        [1700000060, 0],
      ],
      children: {
        "0c83f57c786a0b4a39efab23731c7ebc": { name: "inner", cycles: [[1700000060, true]], children: {} },
        "2567a5ec9705eb7ac2c984033e06189d": { name: "web" },
      },
    },
  };
  writeFileSync(join(path, "store"), JSON.stringify(original));
  const { store, told } = open();
  expect(store.load()).toEqual(state);
  expect(told).toEqual([]);
});

test.each([
  '{"cut',
  "[]",
  "{}",
  "7",
  "null",
  '{"a": null}',
  '{"a": {}, "b": {}}',
  '{"a": {"name": "x", "cycles": 7}}',
])("%s is no store, and is kept aside", (text) => {
  writeFileSync(join(path, "store"), text);
  const { store, told } = open();
  expect(store.load()).toBeUndefined();
  const [, aside = ""] = /kept as (\S+),/.exec(told.join()) ?? [];
  expect(readFileSync(aside, "utf8")).toBe(text);
});
