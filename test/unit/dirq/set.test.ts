import { join } from "node:path";
import { NormalQueue, NullQueue, openQueue, QueueSet, SimpleQueue, type DirQueue } from "@spoolwire/dirq";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";

let top: string;
let now: number;
beforeEach(() => {
  top = temporaryDirectory("set");
  now = 1_700_000_000_000_000;
});
afterEach(() => removeDirectory(top));

const clock = () => (now += 1_000_000);
const simple = (path: string) => new SimpleQueue({ path: join(top, path), granularity: 0 }, { clock });
const normal = (path: string) =>
  new NormalQueue({ path: join(top, path), schema: { body: "string" }, maxelts: 1 }, { clock });

/** Add an element to each, in this order. Returns the queues with the elements' names. */
const addTo = (...queues: (SimpleQueue | NormalQueue)[]) =>
  queues.map(
    (queue) => [queue, queue instanceof SimpleQueue ? queue.add("") : queue.add({ body: "" })] as const,
  );

test("the elements of queues of any type come in the order of adding", () => {
  const [a, b, c] = [simple("a"), normal("b"), simple("c")];
  const added = addTo(b, a, c, c, b, a, b, b, a, c);
  const set = new QueueSet<DirQueue>(c, new NullQueue(), a, b);
  const found = [...set];
  expect(found.map(([, name]) => name)).toEqual(added.map(([, name]) => name));
  expect(found.every(([queue], n) => queue === added[n]![0])).toBe(true);
  expect(set.count()).toBe(10);
});

test("elements of one name come in the order of the queues", () => {
  const still = { clock: () => now };
  const queues = ["a", "b"].map((path) => new SimpleQueue({ path: join(top, path), rndhex: 0 }, still));
  const names = queues.map((queue) => queue.add(""));
  expect(names[0]).toBe(names[1]);
  expect([...new QueueSet(...queues)].map(([queue]) => queue)).toEqual(queues);
  expect([...new QueueSet(...queues.reverse())].map(([queue]) => queue)).toEqual(queues);
});

test("first and next walk like an iterator, from a place of their own", () => {
  const [a, b] = [simple("a"), normal("b")];
  const added = addTo(a, b, a);
  a.first();
  const set = new QueueSet<DirQueue>(a, b);
  expect(set.next()).toBeUndefined();
  expect([set.first(), set.next()]).toEqual([added[0], added[1]]);
  expect([...set]).toEqual(added);
  expect([set.next(), set.next(), set.next()]).toEqual([added[2], undefined, undefined]);
  expect(a.next()).toBe(added[2]![1]);
});

test("of no queue, or of empty ones, there is nothing", () => {
  for (const set of [new QueueSet(), new QueueSet<DirQueue>(simple("a"), new NullQueue())]) {
    expect([set.count(), set.first(), set.next(), [...set]]).toEqual([0, undefined, undefined, []]);
  }
});

test("a queue that is added is met by the next walk", () => {
  const [a, b] = [simple("a"), simple("b")];
  const added = addTo(b, a, b);
  const set = new QueueSet(b);
  expect(set.first()).toEqual(added[0]);
  set.add(a);
  expect([set.next(), set.next()]).toEqual([added[2], undefined]);
  expect([...set]).toEqual(added);
  expect(set.queues).toEqual([b, a]);
});

test("a queue that is removed is met by no walk any more", () => {
  const [a, b] = [simple("a"), simple("b")];
  const added = addTo(b, a, a, b);
  const set = new QueueSet(b, a);
  expect(set.first()).toEqual(added[0]);
  expect(set.remove(a.copy())).toBe(true);
  expect([set.next(), set.next()]).toEqual([added[3], undefined]);
  expect([set.remove(a), set.count()]).toEqual([false, 2]);
});

test("a queue cannot be in a set twice, by whatever path", () => {
  const [a, b] = [simple("a"), simple("b")];
  expect(() => new QueueSet(a, b, a)).toThrow(TypeError);
  const set = new QueueSet(a);
  expect(() => set.add(b, openQueue({ path: join(top, "b", "..", "a") }))).toThrow("different queues");
  expect(set.queues).toEqual([a]);
});

test("elements that go meanwhile are not in the way", () => {
  const [a, b] = [simple("a"), normal("b")];
  const added = addTo(a, b, a, b, b);
  const set = new QueueSet<SimpleQueue | NormalQueue>(a, b);
  const found = [];
  for (const [queue, name] of set) {
    found.push(name);
    queue.lock(name);
    queue.remove(name);
  }
  expect(found).toEqual(added.map(([, name]) => name));
  expect(set.count()).toBe(0);
});
