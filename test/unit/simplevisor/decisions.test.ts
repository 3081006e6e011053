// What a tree decides, as tables: an event, what is done, and how some of them stand. Nothing runs, no time passes.
import { backOffDefaults, Service, Supervisor } from "@spoolwire/simplevisor";
import { describe, expect, test } from "vitest";
import { play, service, supervisor, type Plan } from "./play.js";

type Row = readonly [title: string, plan: Plan, ...lines: string[]];

const [a, b, c, d] = [service("a"), service("b"), service("c"), service("d")];
const slow = (name: string, options = {}) => service(name, { isSlow: true, ...options });
const all = "start > start a, start b, start c";
const tables: Readonly<Record<string, readonly Row[]>> = {
  one_for_one: [
    ["starts all in order", supervisor("s", "one_for_one", [a, b, c]), `${all} | s=running`],
    [
      "restarts the first alone",
      supervisor("s", "one_for_one", [a, b, c]),
      all,
      "a dies > start a | a=running",
    ],
    ["restarts one in the middle alone", supervisor("s", "one_for_one", [a, b, c]), all, "b dies > start b"],
    ["restarts the last alone", supervisor("s", "one_for_one", [a, b, c]), all, "c dies > start c"],
    [
      "does not wait for one that is slow",
      supervisor("s", "one_for_one", [slow("a"), b]),
      "start > start a, start b | s=starting",
      "a ready > - | s=running",
    ],
    [
      "stops in the reverse order",
      supervisor("s", "one_for_one", [a, b, c]),
      all,
      "stop > stop c, stop b, stop a | s=stopped",
    ],
    [
      "does not wait for one that is slow to stop",
      supervisor("s", "one_for_one", [a, slow("b")]),
      "start > start a, start b",
      "b ready > -",
      "stop > stop b, stop a | s=stopping",
      "b exits > - | s=stopped",
    ],
    [
      "restarts others while one is slow to stop",
      supervisor("s", "one_for_one", [a, slow("b")]),
      "start > start a, start b",
      "b ready > -",
      "b restart > stop b",
      "a dies > start a",
      "b exits > start b",
    ],
  ],
  rest_for_one: [
    [
      "starts each when the one before it is ready",
      supervisor("s", "rest_for_one", [slow("a"), slow("b"), c]),
      "start > start a",
      "a ready > start b",
      "b ready > start c | s=running",
    ],
    [
      "restarts all of them for the first",
      supervisor("s", "rest_for_one", [a, b, c]),
      all,
      "a dies > stop c, stop b, start a, start b, start c",
    ],
    [
      "restarts those behind one in the middle",
      supervisor("s", "rest_for_one", [a, b, c]),
      all,
      "b dies > stop c, start b, start c",
    ],
    ["restarts the last alone", supervisor("s", "rest_for_one", [a, b, c]), all, "c dies > start c"],
    [
      "stops each when the one behind it is gone",
      supervisor("s", "rest_for_one", [a, slow("b"), slow("c")]),
      "start > start a, start b",
      "b ready > start c",
      "c ready > -",
      "stop > stop c",
      "c exits > stop b",
      "b exits > stop a | s=stopped",
    ],
    [
      "leaves those that are not wanted",
      supervisor("s", "rest_for_one", [a, b, service("c", { isExpected: false })]),
      "start > start a, start b | s=running",
      "a dies > stop b, start a, start b",
    ],
    [
      "starts nobody behind one that fails again and again",
      supervisor("s", "rest_for_one", [slow("a"), b]),
      "start > start a",
      "a dies > start a",
      "a dies > - | a=waiting b=stopped",
      "+1 > start a",
    ],
    [
      "two at once: the first of them counts",
      supervisor("s", "rest_for_one", [slow("a"), slow("b")]),
      "start > start a",
      "a ready > start b",
      "b ready > -",
      "b dies > start b",
      "a dies > stop b",
      "b exits > start a",
    ],
  ],
  one_for_all: [
    [
      "restarts all for the first",
      supervisor("s", "one_for_all", [a, b, c]),
      all,
      "a dies > stop c, stop b, start a, start b, start c",
    ],
    [
      "restarts all for the last",
      supervisor("s", "one_for_all", [a, b, c]),
      all,
      "c dies > stop b, stop a, start a, start b, start c",
    ],
    [
      "starts in order",
      supervisor("s", "one_for_all", [slow("a"), b]),
      "start > start a",
      "a ready > start b",
    ],
    [
      "stops in the reverse order, each after the other",
      supervisor("s", "one_for_all", [slow("a"), slow("b")]),
      "start > start a",
      "a ready > start b",
      "b ready > -",
      "stop > stop b",
      "b exits > stop a",
      "a exits > - | s=stopped",
    ],
    [
      "brings back one that had ended well",
      supervisor("s", "one_for_all", [service("a", { restart: "transient" }), b]),
      "start > start a, start b",
      "a exits > - | a=finished",
      "b dies > start a, start b",
    ],
    [
      "leaves a temporary one that is done",
      supervisor("s", "one_for_all", [service("a", { restart: "temporary" }), b]),
      "start > start a, start b",
      "a dies > - | a=finished",
      "b dies > start b | a=finished",
    ],
    [
      "one that dies while all are stopped is stopped",
      supervisor("s", "one_for_all", [slow("a"), slow("b"), c]),
      "start > start a",
      "a ready > start b",
      "b ready > start c",
      "c dies > stop b",
      "a dies > -",
      "b exits > start a",
    ],
  ],
  "who is started again": [
    [
      "permanent: who ends well too",
      supervisor("s", "one_for_one", [a]),
      "start > start a",
      "a exits > start a",
    ],
    [
      "transient: not who ends well",
      supervisor("s", "one_for_one", [service("a", { restart: "transient" })]),
      "start > start a",
      "a exits > - | a=finished s=running",
    ],
    [
      "transient: who ends badly",
      supervisor("s", "one_for_one", [service("a", { restart: "transient" })]),
      "start > start a",
      "a dies > start a",
    ],
    [
      "transient: who is broken, even if it then ends well",
      supervisor("s", "one_for_one", [service("a", { restart: "transient" })]),
      "start > start a",
      "a broken > stop a, start a",
    ],
    [
      "temporary: nobody",
      supervisor("s", "one_for_one", [service("a", { restart: "temporary" })]),
      "start > start a",
      "a dies > - | a=finished",
    ],
    [
      "temporary: who is broken is stopped",
      supervisor("s", "one_for_one", [service("a", { restart: "temporary" })]),
      "start > start a",
      "a broken > stop a | a=finished",
    ],
    [
      "one that is done can be started by hand",
      supervisor("s", "one_for_one", [service("a", { restart: "temporary" })]),
      "start > start a",
      "a exits > -",
      "a run > start a",
    ],
  ],
  "back-off": [
    [
      "the first restart is at once",
      supervisor("s", "one_for_one", [a]),
      "start > start a",
      "a dies > start a",
    ],
    [
      "the second waits half a second",
      supervisor("s", "one_for_one", [a]),
      "start > start a",
      "a dies > start a",
      "a dies > - | a=waiting",
      "+0.4 > -",
      "+0.1 > start a",
    ],
    [
      "the third waits twice as long",
      supervisor("s", "one_for_one", [a]),
      "start > start a",
      "a dies > start a",
      "a dies > -",
      "+0.5 > start a",
      "a dies > -",
      "+0.9 > -",
      "+0.1 > start a",
    ],
    [
      "never longer than the cap",
      supervisor("s", "one_for_one", [
        service("a", { backOff: { base: 8, factor: 2, cap: 10, jitter: 0, healthy: 60 } }),
      ]),
      "start > start a",
      "a dies > start a",
      "a dies > -",
      "+8 > start a",
      "a dies > -",
      "+9.9 > -",
      "+0.1 > start a",
    ],
    [
      "begins anew for who has run long enough",
      supervisor("s", "one_for_one", [a]),
      "start > start a",
      "a dies > start a",
      "a dies > -",
      "+0.5 > start a",
      "+10 > -",
      "a dies > start a",
    ],
    [
      "an operator need not wait",
      supervisor("s", "one_for_one", [a]),
      "start > start a",
      "a dies > start a",
      "a dies > -",
      "a run > start a",
    ],
    [
      "who cannot even start waits too",
      supervisor("s", "one_for_one", [slow("a")]),
      "start > start a",
      "a dies > start a",
      "a dies > - | a=waiting",
    ],
  ],
  deadlines: [
    [
      "who is not ready in time is stopped, and started again",
      supervisor("s", "one_for_one", [slow("a")]),
      "start > start a",
      "+59 > -",
      "+1 > stop a",
      "a exits > start a",
    ],
    [
      "who does not stop is killed",
      supervisor("s", "one_for_one", [slow("a")]),
      "start > start a",
      "a ready > -",
      "stop > stop a",
      "+9 > -",
      "+1 > kill a",
      "a dies > - | a=stopped s=stopped",
    ],
    [
      "killed once, not each time somebody looks",
      supervisor("s", "one_for_one", [slow("a")]),
      "start > start a",
      "stop > stop a",
      "+10 > kill a",
      "+10 > - | a=stopping",
    ],
    [
      "its own time to stop",
      supervisor("s", "one_for_one", [slow("a", { stopTimeout: 1 })]),
      "start > start a",
      "stop > stop a",
      "+1 > kill a",
    ],
    [
      "who is broken and does not stop is killed, and started again",
      supervisor("s", "one_for_one", [slow("a")]),
      "start > start a",
      "a ready > -",
      "a broken > stop a",
      "+10 > kill a",
      "a dies > start a",
    ],
    [
      "stopped while it is being stopped for a fault: it stays so",
      supervisor("s", "one_for_one", [slow("a")]),
      "start > start a",
      "a ready > -",
      "a broken > stop a",
      "a hold > -",
      "a exits > - | a=stopped",
    ],
  ],
  "window and adjustments": [
    [
      "as many adjusted cycles as allowed",
      supervisor("s", "one_for_one", [supervisor("t", "one_for_one", [a], { adjustments: 2 })]),
      "start > start a",
      "a dies > start a",
      "cycle > -",
      "+10 > -",
      "a dies > start a | t=running",
    ],
    [
      "one more: it fails, and its parent starts it again",
      supervisor("s", "one_for_one", [supervisor("t", "one_for_one", [a, b], { adjustments: 1 })]),
      "start > start a, start b",
      "a dies > start a",
      "cycle > -",
      "a dies > stop b, start a, start b | t=running",
    ],
    [
      "several in a cycle count once",
      supervisor("s", "one_for_one", [supervisor("t", "one_for_one", [a, b], { adjustments: 1 })]),
      "start > start a, start b",
      "a dies > start a",
      "b dies > start b | t=running",
    ],
    [
      "what has left the window counts no more",
      supervisor("s", "one_for_one", [supervisor("t", "one_for_one", [a, b], { adjustments: 1, window: 2 })]),
      "start > start a, start b",
      "a dies > start a",
      "cycle > -",
      "cycle > -",
      "+10 > -",
      "a dies > start a",
    ],
    [
      "a supervisor that failed begins anew",
      supervisor("s", "one_for_one", [supervisor("t", "one_for_one", [a, b], { adjustments: 1 })]),
      "start > start a, start b",
      "a dies > start a",
      "cycle > -",
      "a dies > stop b, start a, start b",
      "+10 > -",
      "a dies > start a",
    ],
    [
      "no adjustment allowed: the first is a failure",
      supervisor("s", "one_for_one", [supervisor("t", "one_for_one", [a, b], { adjustments: 0 })]),
      "start > start a, start b",
      "a dies > stop b, start a, start b",
    ],
    [
      "without a parent it ends as failed",
      supervisor("s", "one_for_one", [a, b], { adjustments: 0 }),
      "start > start a, start b",
      "a dies > stop b | s=waiting",
    ],
    [
      "what was expected to be stopped counts too",
      supervisor("s", "one_for_one", [b, service("a", { isExpected: false })], { adjustments: 0 }),
      "start > start b",
      "a found > stop a, stop b | s=waiting",
    ],
  ],
  "intensity and period": [
    [
      "as many as allowed",
      supervisor("s", "one_for_one", [supervisor("t", "one_for_one", [a, b], { intensity: 1, period: 5 })]),
      "start > start a, start b",
      "a dies > start a | t=running",
    ],
    [
      "one more: it fails",
      supervisor("s", "one_for_one", [supervisor("t", "one_for_one", [a, b], { intensity: 1, period: 5 })]),
      "start > start a, start b",
      "a dies > start a",
      "b dies > stop a, start a, start b",
    ],
    [
      "the period slides",
      supervisor("s", "one_for_one", [supervisor("t", "one_for_one", [a, b], { intensity: 1, period: 5 })]),
      "start > start a, start b",
      "a dies > start a",
      "+5 > -",
      "b dies > start b",
    ],
  ],
  nested: [
    [
      "a failure stays where it is",
      supervisor("s", "one_for_all", [supervisor("t", "one_for_one", [a, b]), c]),
      "start > start a, start b, start c",
      "a dies > start a",
    ],
    [
      "one that fails takes those with it that its parent's strategy says",
      supervisor("s", "rest_for_one", [supervisor("t", "one_for_one", [a], { adjustments: 0 }), b, c]),
      all,
      "a dies > stop c, stop b, start a, start b, start c",
    ],
    [
      "those before it stay",
      supervisor("s", "rest_for_one", [b, supervisor("t", "one_for_one", [a], { adjustments: 0 }), c]),
      "start > start b, start a, start c",
      "a dies > stop c, start a, start c",
    ],
    [
      "the next waits until all of a subtree are ready",
      supervisor("s", "rest_for_one", [supervisor("t", "one_for_one", [slow("a"), b]), c]),
      "start > start a, start b | t=starting",
      "a ready > start c | t=running",
    ],
    [
      "the failure goes up, level by level",
      supervisor("r", "one_for_one", [
        supervisor("s", "one_for_one", [supervisor("t", "one_for_one", [a], { adjustments: 0 }), b], {
          adjustments: 0,
        }),
        c,
      ]),
      "start > start a, start b, start c",
      "a dies > stop b, start a, start b | c=running",
    ],
    [
      "a subtree is stopped whole before the next",
      supervisor("s", "rest_for_one", [supervisor("t", "one_for_one", [slow("a"), b]), c]),
      "start > start a, start b",
      "a ready > start c",
      "stop > stop c, stop b, stop a | t=stopping",
      "a exits > - | s=stopped",
    ],
    [
      "a subtree that fails again waits",
      supervisor("s", "one_for_one", [supervisor("t", "one_for_one", [a], { adjustments: 0 })]),
      "start > start a",
      "a dies > start a",
      "a dies > - | t=waiting a=stopped",
      "+0.5 > start a",
    ],
  ],
  "expected states and operators": [
    [
      "expected stopped: it is not started",
      supervisor("s", "one_for_one", [a, service("b", { isExpected: false })]),
      "start > start a | b=stopped s=running",
    ],
    [
      "expected stopped and found running: it is stopped",
      supervisor("s", "one_for_one", [service("b", { isExpected: false })]),
      "start > -",
      "b found > stop b | b=stopped",
    ],
    [
      "expected running and found running: it is left alone",
      supervisor("s", "rest_for_one", [slow("a"), b]),
      "a found > -",
      "start > start b | s=running",
    ],
    [
      "held: it is stopped and stays so",
      supervisor("s", "one_for_one", [a, b]),
      "start > start a, start b",
      "a hold > stop a | a=stopped",
      "+100 > -",
    ],
    [
      "held: that is no adjustment",
      supervisor("s", "one_for_one", [a, b], { adjustments: 0 }),
      "start > start a, start b",
      "a hold > stop a | s=running",
    ],
    [
      "freed: it is as expected again",
      supervisor("s", "one_for_one", [a]),
      "start > start a",
      "a hold > stop a",
      "a free > start a",
    ],
    [
      "run by hand against what is expected",
      supervisor("s", "one_for_one", [service("a", { isExpected: false })]),
      "start > -",
      "a run > start a",
      "+100 > - | a=running",
    ],
    [
      "restarted by hand: nobody else is",
      supervisor("s", "one_for_all", [a, b]),
      "start > start a, start b",
      "a restart > stop a, start a",
    ],
    [
      "restarted by hand: that is no adjustment",
      supervisor("s", "one_for_one", [a, b], { adjustments: 0 }),
      "start > start a, start b",
      "a restart > stop a, start a | s=running",
    ],
    [
      "a subtree restarted by hand",
      supervisor("s", "one_for_one", [supervisor("t", "one_for_one", [a, b]), c]),
      all,
      "t restart > stop b, stop a, start a, start b",
    ],
    [
      "a subtree held",
      supervisor("s", "one_for_one", [supervisor("t", "one_for_one", [a, b]), c]),
      all,
      "t hold > stop b, stop a | t=stopped c=running",
      "t free > start a, start b",
    ],
    [
      "restarted while it waits: at once",
      supervisor("s", "one_for_one", [a]),
      "start > start a",
      "a dies > start a",
      "a dies > -",
      "a restart > start a",
    ],
  ],
  depends: [
    [
      "waits for those that it depends on",
      supervisor("s", "one_for_one", [slow("a"), service("b", { depends: ["a"] }), c]),
      "start > start a, start c",
      "a ready > start b",
    ],
    [
      "whatever the order in the file",
      supervisor("s", "one_for_one", [service("b", { depends: ["a"] }), slow("a")]),
      "start > start a",
      "a ready > start b",
    ],
    [
      "is stopped before them",
      supervisor("s", "one_for_one", [slow("b", { depends: ["a"] }), a]),
      "start > start a, start b",
      "b ready > -",
      "stop > stop b",
      "b exits > stop a",
    ],
    [
      "one that is done serves",
      supervisor("s", "one_for_one", [service("b", { depends: ["a"] }), slow("a", { restart: "transient" })]),
      "start > start a",
      "a exits > start b",
    ],
    [
      "a whole subtree",
      supervisor("s", "one_for_one", [
        service("c", { depends: ["t"] }),
        supervisor("t", "one_for_one", [slow("a"), d]),
      ]),
      "start > start a, start d",
      "a ready > start c",
    ],
    [
      "is not stopped when they die: the strategy says who is",
      supervisor("s", "one_for_one", [a, service("b", { depends: ["a"] })]),
      "start > start a, start b",
      "a dies > start a",
    ],
  ],
};

describe.each(Object.entries(tables))("%s", (_, rows) => {
  for (const [title, plan, ...lines] of rows) test(title, () => expect(play(plan, lines)).toEqual(lines));
});

test("a deadline that passes while the tree decides is not forgotten", () => {
  let nowMs = 0;
  const around = { clock: () => nowMs++, random: () => 0, report: () => undefined };
  const done: string[] = [];
  const hands = { start: () => done.push("start"), stop: () => done.push("stop"), kill: () => undefined };
  const policy = { name: "a", path: "s/a", depends: [], isExpected: true, restart: "permanent" } as const;
  const leaf = new Service(
    { ...policy, stopTimeout: 1, startTimeout: 0.1, backOff: backOffDefaults },
    around,
    () => hands,
  );
  const budgets = { window: 1, adjustments: 1, intensity: 1, period: 1 };
  const root = new Supervisor(
    { ...policy, ...budgets, name: "s", path: "s", strategy: "one_for_one" },
    [leaf],
    around,
  );
  root.start();
  // As a timer would: whenever something is due, and never too early.
  for (let steps = 0; done.length < 2; steps++) {
    expect(steps).toBeLessThan(200);
    root.step();
    expect(root.wakeMs).toBeLessThan(Infinity);
  }
  expect(done).toEqual(["start", "stop"]);
});

test("there are enough of them", () => {
  expect(Object.values(tables).flat().length).toBeGreaterThanOrEqual(60);
});
