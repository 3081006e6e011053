import { execFile } from "node:child_process";
import fs, { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  NormalQueue,
  NullQueue,
  SimpleQueue,
  type ConsumeEvent,
  type ConsumeOptions,
  type FileCalls,
  type Surroundings,
} from "@spoolwire/dirq";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";

let path: string;
beforeEach(() => (path = temporaryDirectory("consume")));
afterEach(() => removeDirectory(path));

const types = {
  simple: (options: object = {}, surroundings?: Surroundings) => {
    const queue = new SimpleQueue({ path, ...options }, surroundings);
    const consume = async function* (how?: ConsumeOptions) {
      for await (const element of queue.consume(how)) yield { element, text: element.content.toString() };
    };
    return { queue, consume, add: (text: string) => queue.add(text) };
  },
  normal: (options: object = {}, surroundings?: Surroundings) => {
    const queue = new NormalQueue({ path, schema: { body: "string" }, ...options }, surroundings);
    const consume = async function* (how?: ConsumeOptions) {
      for await (const element of queue.consume(how)) yield { element, text: element.content.body as string };
    };
    return { queue, consume, add: (body: string) => queue.add({ body }) };
  },
};

/** Nothing on a busy machine takes longer than this, milliseconds, unless it hangs. */
const PATIENCE = 20_000;

describe.each(Object.entries(types))("consuming a %s queue", (type, open) => {
  test("yields what is there in order, locked, until there is no more", async () => {
    const { queue, consume, add } = open();
    for (const text of ["a", "b", "c"]) add(text);
    const seen: string[] = [];
    for await (const { element, text } of consume({ wait: 0 })) {
      expect(queue.lock(element.name)).toBe(false);
      seen.push(text);
      expect(element.done()).toBe(true);
      expect(element.done()).toBe(false);
    }
    expect(seen).toEqual(["a", "b", "c"]);
    expect(queue.count()).toBe(0);
  });

  test("keeps the order of what is added while it lists a directory", async () => {
    let adding: (() => void) | undefined;
    const calls = new Proxy(fs, {
      get: (_, name) => {
        const call = Reflect.get(fs, name) as (...args: unknown[]) => unknown;
        return (...args: unknown[]) => {
          if (name !== "readdirSync" || !adding || !/[0-9a-f]{8}$/.test(String(args[0])))
            return call(...args);
          // As ext4 does: the later one comes behind the place that the listing has reached, the other before it.
          adding();
          adding = undefined;
          return (call(...args) as fs.Dirent[]).filter((entry) => !hidden.some((end) => end === entry.name));
        };
      },
    }) as FileCalls;
    const { consume, add } = open({}, { calls });
    add("a");
    await sleep(10);
    const hidden: string[] = [];
    adding = () => {
      hidden.push(add("b").slice(9));
      add("c");
    };
    const seen: string[] = [];
    for await (const { element, text } of consume({ wait: 0 })) {
      seen.push(text);
      element.done();
    }
    expect(adding).toBeUndefined();
    expect(seen).toEqual(["a", "b", "c"]);
  });

  test("waits for more, whoever adds them, and ends by its signal", async () => {
    const { queue, consume, add } = open();
    const other = open().queue;
    const stop = new AbortController();
    const seen: string[] = [];
    const consumer = (async () => {
      for await (const { element, text } of consume({ signal: stop.signal })) {
        seen.push(text);
        element.done();
      }
    })();
    for (let n = 0; n < 5; n++) {
      add(`${n}`);
      await expect.poll(() => seen.length, { timeout: PATIENCE, interval: 1 }).toBe(n + 1);
      // So that it has to wait each time, and once the directory was removed under it.
      if (n === 2) {
        other.add(type === "simple" ? ("x" as never) : ({ body: "x" } as never));
        await expect.poll(() => seen.length, { timeout: PATIENCE, interval: 1 }).toBe(n + 2);
        for (const directory of fs.readdirSync(path).filter((name) => /^[0-9a-f]{8}$/.test(name)))
          fs.rmdirSync(join(path, directory));
        seen.pop();
      }
      await sleep(20);
    }
    stop.abort();
    await consumer;
    expect(seen).toEqual(["0", "1", "2", "3", "4"]);
    expect(queue.count()).toBe(0);
  });

  test("meets what another program adds and what another consumer gives back", async () => {
    const { consume, add } = open();
    const { queue: rival } = open();
    const name = add("given back");
    rival.lock(name);
    const seen: string[] = [];
    const consumer = (async () => {
      for await (const { element, text } of consume({ wait: PATIENCE / 1000 })) {
        seen.push(text);
        element.done();
        if (seen.length === 2) break;
      }
    })();
    const child = `import("@spoolwire/dirq").then(({ SimpleQueue, NormalQueue }) => "${type}" === "simple"
      ? new SimpleQueue({ path: process.argv[1] }).add("added")
      : new NormalQueue({ path: process.argv[1], schema: { body: "string" } }).add({ body: "added" }))`;
    execFile(process.execPath, ["-e", child, path]);
    await expect.poll(() => seen, { timeout: PATIENCE }).toEqual(["added"]);
    rival.unlock(name);
    await consumer;
    expect(seen).toEqual(["added", "given back"]);
  });

  test("is not ended, nor made to move anything, by what comes under an element's name and is none", async () => {
    const { queue, consume, add } = open();
    const first = add("a");
    const seen: string[] = [];
    const events: ConsumeEvent[] = [];
    const stop = new AbortController();
    const consumer = (async () => {
      const onEvent = (event: ConsumeEvent) => events.push(event);
      for await (const { element, text } of consume({ signal: stop.signal, onEvent })) {
        seen.push(text);
        element.done();
      }
    })();
    await expect.poll(() => seen, { timeout: PATIENCE }).toEqual(["a"]);
    // While it waits it is told of names, and does not list them.
    await sleep(50);
    const foreign = (digit: number) => join(path, first.slice(0, 8), `0000000000000${digit}`);
    symlinkSync(path, foreign(0));
    symlinkSync(foreign(1), foreign(1));
    if (type === "simple") mkdirSync(foreign(2));
    else writeFileSync(foreign(2), "");
    await sleep(50);
    add("b");
    await expect.poll(() => seen, { timeout: PATIENCE }).toEqual(["a", "b"]);
    stop.abort();
    await consumer;
    expect(events).toEqual([]);
    expect([...queue.quarantined()]).toEqual([]);
    expect([0, 1, 2].filter((digit) => !fs.lstatSync(foreign(digit), { throwIfNoEntry: false }))).toEqual([]);
  });

  test("takes nothing from behind a link that comes in the place of an intermediate directory", async () => {
    const { consume, add } = open();
    const seen: string[] = [];
    const stop = new AbortController();
    const consumer = (async () => {
      for await (const { element, text } of consume({ signal: stop.signal })) {
        seen.push(text);
        element.done();
      }
    })();
    add("a");
    await expect.poll(() => seen, { timeout: PATIENCE }).toEqual(["a"]);
    await sleep(50);
    const outside = temporaryDirectory("outside");
    try {
      symlinkSync(outside, join(path, "ffffffff"));
      await sleep(50);
      const file = join(outside, "00000000000000");
      if (type === "simple") writeFileSync(file, "outside");
      else mkdirSync(file);
      await sleep(50);
      add("b");
      await expect.poll(() => seen, { timeout: PATIENCE }).toEqual(["a", "b"]);
      expect(fs.readdirSync(outside)).toEqual(["00000000000000"]);
    } finally {
      stop.abort();
      await consumer;
      removeDirectory(outside);
    }
  });

  test("hands out no more than `prefetch` at a time", async () => {
    const { consume, add } = open();
    for (let n = 0; n < 10; n++) add(`${n}`);
    const hand = new Set<{ done(): boolean }>();
    let most = 0;
    let count = 0;
    for await (const { element } of consume({ prefetch: 3, wait: 0 })) {
      hand.add(element);
      most = Math.max(most, hand.size);
      count++;
      setTimeout(() => {
        hand.delete(element);
        element.done();
      }, 5);
    }
    expect(count).toBe(10);
    expect(most).toBe(3);
  });

  test("releases what is in hand when the loop is left, and keeps it when it ends", async () => {
    const { queue, consume, add } = open();
    const names = [add("a"), add("b")];
    for await (const { element } of consume({ prefetch: 2 })) if (element.name === names[1]) break;
    const isFree = () => names.map((name) => queue.lock(name) && queue.unlock(name));
    expect(isFree()).toEqual([true, true]);

    const kept: { done(): boolean }[] = [];
    for await (const { element } of consume({ prefetch: 3, wait: 0 })) kept.push(element);
    expect(isFree()).toEqual([false, false]);
    expect(kept.map((element) => element.done())).toEqual([true, true]);
    expect(queue.count()).toBe(0);
  });

  test("releases all that it can when one cannot be released, which a purge finds stale then", async () => {
    let failing = false;
    const calls = new Proxy(fs, {
      get: (_, name) => {
        const call = Reflect.get(fs, name) as (...args: unknown[]) => unknown;
        return (...args: unknown[]) => {
          if (!failing || (name !== "unlinkSync" && name !== "rmdirSync")) return call(...args);
          failing = false;
          throw Object.assign(new Error("broken"), { code: "EIO" });
        };
      },
    }) as FileCalls;
    const { queue, consume, add } = open({ maxlock: 1 }, { calls });
    const names = [add("a"), add("b"), add("c")];
    const leave = async () => {
      for await (const { element } of consume({ prefetch: 3 })) {
        failing = element.name === names[2];
        if (failing) break;
      }
    };
    await expect(leave()).rejects.toMatchObject({ code: "EIO" });
    expect(names.map((name) => queue.lock(name))).toEqual([false, true, true]);
    for (const name of names.slice(1)) queue.unlock(name);
    await expect.poll(() => queue.purge(), { timeout: PATIENCE }).toMatchObject({ locks: 1 });
  });

  test("keeps the locks fresh while the work lasts", async () => {
    const { queue, consume, add } = open({ maxlock: 2 });
    const name = add("a");
    const ino = () => fs.lstatSync(join(path, name)).mtimeMs;
    for await (const { element } of consume({ wait: 0 })) {
      const locked = ino();
      await expect.poll(ino, { timeout: PATIENCE }).toBeGreaterThan(locked);
      element.done();
    }
    expect(queue.count()).toBe(0);
  });

  test.each([0, 86_400])(
    "keeps them fresh for a purge that goes by the default, with maxlock %d",
    async (maxlock) => {
      vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
      try {
        const { queue, consume, add } = open({ maxlock });
        const name = add("a");
        for await (const { element } of consume({ wait: 0 })) {
          fs.utimesSync(join(path, name), 1, 1);
          vi.advanceTimersByTime(300_000);
          expect(await queue.purge({ maxlock: 600 })).toMatchObject({ locks: 0 });
          element.done();
        }
      } finally {
        vi.useRealTimers();
      }
    },
  );

  test("says when somebody else took an element from under its lock", async () => {
    const { queue, consume, add } = open();
    add("a");
    for await (const { element } of consume({ wait: 0 })) {
      queue.unlock(element.name);
      expect(element.done()).toBe(false);
    }
    expect(queue.count()).toBe(1);
  });

  test("gives an element back, to be met again, or moves it aside", async () => {
    const { queue, consume, add } = open();
    add("a");
    for await (const { element } of consume()) {
      element.release();
      expect(queue.lock(element.name)).toBe(true);
      queue.unlock(element.name);
      break;
    }
    for await (const { element } of consume({ wait: 0 })) expect(element.quarantine("no good")).toBeDefined();
    expect([...queue.quarantined()]).toMatchObject([{ reason: "no good" }]);
    expect(queue.count()).toBe(0);
  });

  test("moves aside what no element should be, tells of it, and goes on", async () => {
    const { queue, consume, add } = open();
    const first = add("a");
    const bad = add("b");
    const last = add("c");
    writeFileSync(
      join(path, bad, ...(type === "simple" ? [] : ["body"])),
      type === "simple" ? "" : Buffer.of(0xff),
    );
    const events: ConsumeEvent[] = [];
    const seen: string[] = [];
    for await (const { element } of consume({ wait: 0, onEvent: (event) => events.push(event) })) {
      seen.push(element.name);
      element.done();
    }
    expect(seen).toEqual([first, last]);
    const [kept] = [...queue.quarantined()];
    expect(events).toEqual([
      { type: "quarantined", name: bad, reason: kept!.reason, quarantined: kept!.name },
    ]);
    expect(kept).toMatchObject({ element: bad });
  });

  test("without `setAside` leaves in its place what no element should be, and tells of it once", async () => {
    const { queue, consume, add } = open();
    const bad = add("b");
    writeFileSync(
      join(path, bad, ...(type === "simple" ? [] : ["body"])),
      type === "simple" ? "" : Buffer.of(0xff),
    );
    const events: ConsumeEvent[] = [];
    const onEvent = (event: ConsumeEvent) => events.push(event);
    for await (const { element } of consume({ wait: 1.2, setAside: false, onEvent })) element.done();
    expect(events.map(({ type, name }) => [type, name])).toEqual([["skipped", bad]]);
    expect([...queue.quarantined()]).toEqual([]);
    expect(queue.lock(bad)).toBe(true);
  });

  test("passes over what it may not touch, tells of it once, and goes on", async () => {
    const isDenied = (file: unknown) => String(file).includes("denied") || denied.has(String(file));
    const denied = new Set<string>();
    const calls = new Proxy(fs, {
      get: (_, name) => {
        const call = Reflect.get(fs, name) as (...args: unknown[]) => unknown;
        return (...args: unknown[]) => {
          if ((name === "openSync" || name === "linkSync" || name === "mkdirSync") && isDenied(args[0]))
            throw Object.assign(new Error(`${String(args[0])} denied`), { code: "EACCES" });
          return call(...args);
        };
      },
    }) as FileCalls;
    const { queue, consume, add } = open({}, { calls });
    const [locked, unread, fine] = [add("a"), add("b"), add("c")];
    denied.add(type === "simple" ? join(path, locked) : join(path, locked, "locked"));
    denied.add(type === "simple" ? join(path, `${unread}.lck`) : join(path, unread, "body"));
    const events: ConsumeEvent[] = [];
    const seen: string[] = [];
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 1500);
    for await (const { element } of consume({
      signal: stop.signal,
      onEvent: (event) => events.push(event),
    })) {
      seen.push(element.name);
      element.done();
    }
    expect(seen).toEqual([fine]);
    expect(events.map(({ type, name }) => [type, name])).toEqual([
      ["skipped", locked],
      ["skipped", unread],
    ]);
    denied.clear();
    expect(queue.lock(unread)).toBe(true);
  });

  test("meets what it may touch later, though nothing in its directory changes, nor can be watched", async () => {
    const forbidden = (code: string) => Object.assign(new Error(code), { code });
    let isDenied = true;
    const calls = new Proxy(fs, {
      get: (_, name) => {
        const call = Reflect.get(fs, name) as (...args: unknown[]) => unknown;
        return (...args: unknown[]) => {
          if (name === "watch") throw forbidden("ENOSPC");
          if (isDenied && args.some((file) => /\.lck$|\/locked$/.test(String(file))))
            throw forbidden("EPERM");
          return call(...args);
        };
      },
    }) as FileCalls;
    const { consume, add } = open({}, { calls });
    add("a");
    // Longer than a directory counts as one that may be changing.
    await sleep(100);
    const events: ConsumeEvent[] = [];
    const onEvent = (event: ConsumeEvent) => {
      events.push(event);
      setTimeout(() => (isDenied = false), 200);
    };
    const seen: string[] = [];
    for await (const { element, text } of consume({ wait: PATIENCE / 1000, onEvent })) {
      seen.push(text);
      element.done();
      break;
    }
    expect(seen).toEqual(["a"]);
    expect(events.map(({ type }) => type)).toEqual(["skipped"]);
  });

  test("ends with what fails, and releases", async () => {
    let failing = false;
    const calls = new Proxy(fs, {
      get: (_, name) => {
        const call = Reflect.get(fs, name) as (...args: unknown[]) => unknown;
        return (...args: unknown[]) => {
          if (failing && name === "openSync") throw Object.assign(new Error("broken"), { code: "EIO" });
          return call(...args);
        };
      },
    }) as FileCalls;
    const { queue, consume, add } = open({}, { calls });
    const names = [add("a"), add("b")];
    const loop = (async () => {
      for await (const { element } of consume({ prefetch: 2 })) failing = element.name !== "";
    })();
    await expect(loop).rejects.toMatchObject({ code: "EIO" });
    expect(names.map((name) => queue.lock(name))).toEqual([true, true]);
  });

  test("goes on after a failure, for as long as it is told to", async () => {
    let failures = 0;
    const calls = new Proxy(fs, {
      get: (_, name) => {
        const call = Reflect.get(fs, name) as (...args: unknown[]) => unknown;
        return (...args: unknown[]) => {
          if (name !== "readdirSync" || failures === 0) return call(...args);
          failures--;
          throw Object.assign(new Error("EIO: injected"), { code: "EIO" });
        };
      },
    });
    const { consume, add } = open({}, { calls });
    for (const text of ["a", "b"]) add(text);
    failures = 3;
    const told: string[] = [];
    const seen: string[] = [];
    const onFailure = ({ message }: Error) => (told.push(message), 1);
    for await (const { element, text } of consume({
      wait: 1,
      onFailure,
      onRecovered: () => told.push("well"),
    })) {
      seen.push(text);
      element.done();
    }
    expect(seen).toEqual(["a", "b"]);
    expect(told).toEqual(["EIO: injected", "EIO: injected", "EIO: injected", "well"]);

    failures = 1;
    const enough = new Error("enough");
    const ending = consume({
      onFailure: () => {
        throw enough;
      },
    });
    await expect(ending.next()).rejects.toBe(enough);
  });

  test("can be asked instead of waited for", async () => {
    const { queue, add } = open();
    const names = ["a", "b", "c"].map(add);
    // What is younger than clocks may differ is looked for once more.
    await sleep(10);
    const consumer = queue.consume({ prefetch: 2, wait: 0 });
    const [first, second] = [consumer.poll(), consumer.poll()];
    expect([first?.name, second?.name]).toEqual(names.slice(0, 2));
    expect(consumer.poll()).toBeUndefined();
    expect(first?.done()).toBe(true);
    expect(consumer.poll()?.name).toBe(names[2]);
    expect(second?.done()).toBe(true);
    // All was looked at, and what comes now is for the next who look.
    expect(consumer.poll()).toBeUndefined();
    add("d");
    expect(consumer.poll()).toBeUndefined();
    expect((await consumer.next()).done).toBe(true);
    expect(queue.count()).toBe(2);
  });

  test("releases what it was asked for and is not settled", async () => {
    const { queue, add } = open();
    const name = add("a");
    const consumer = queue.consume();
    expect(consumer.poll()?.name).toBe(name);
    expect(queue.lock(name)).toBe(false);
    await consumer.return();
    expect(queue.lock(name)).toBe(true);
    expect(consumer.poll()).toBeUndefined();
    expect((await consumer.next()).done).toBe(true);
  });

  test.each<[ConsumeOptions]>([[{ prefetch: 0 }], [{ prefetch: 1.5 }], [{ wait: -1 }], [{ wait: NaN }]])(
    "refuses %j",
    (how) => {
      const [name] = Object.keys(how);
      expect(() => open().queue.consume(how)).toThrow(`Expected \`${name}\` to be`);
    },
  );

  test("tells once of each that it may not lock, though it meets all of them again and again", async () => {
    const many = 10_100;
    const stop = new AbortController();
    let denied = 0;
    const calls = new Proxy(fs, {
      get: (_, name) => {
        const call = Reflect.get(fs, name) as (...args: unknown[]) => unknown;
        return (...args: unknown[]) => {
          if (!args.some((file) => /\.lck$|\/locked$/.test(String(file)))) return call(...args);
          if (++denied === 2 * many) stop.abort();
          throw Object.assign(new Error("EPERM"), { code: "EPERM" });
        };
      },
    }) as FileCalls;
    const { consume, add } = open({}, { calls });
    for (let n = 0; n < many; n++) add("a");
    let told = 0;
    expect((await consume({ signal: stop.signal, onEvent: () => told++ }).next()).done).toBe(true);
    expect([denied >= 2 * many, told]).toEqual([true, many]);
  }, 60_000);

  test("refuses an option that it does not know", () => {
    const how = { prefech: 3 } as ConsumeOptions;
    expect(() => open().queue.consume(how)).toThrow(TypeError);
    expect(() => open().queue.consume(how)).toThrow(
      "Unknown consume option `prefech`, expected one of signal,",
    );
  });

  test("leaves the event loop its turns while there is much to do", async () => {
    const { consume, add } = open();
    for (let n = 0; n < 100; n++) add("x");
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    for await (const { element } of consume({ wait: 0 })) {
      // However fast the machine is: all of them take ten slices.
      for (const end = performance.now() + 1; performance.now() < end;);
      element.done();
    }
    clearInterval(timer);
    expect(turns).toBeGreaterThan(2);
  });

  test("looks now and then when nothing can be watched", async () => {
    const watch = () => {
      throw Object.assign(new Error("no more watches"), { code: "ENOSPC" });
    };
    const { consume, add } = open(
      {},
      {
        calls: new Proxy(fs, {
          get: (fs, name) => (name === "watch" ? watch : Reflect.get(fs, name)) as unknown,
        }),
      },
    );
    setTimeout(() => add("late"), 100);
    for await (const { element, text } of consume({ wait: PATIENCE / 1000 })) {
      expect(text).toBe("late");
      element.done();
      break;
    }
  });
});

test("empty elements are handed out to whoever asks for them", async () => {
  const { queue, consume, add } = types.simple();
  add("");
  for await (const { element, text } of consume({ wait: 0, allowEmpty: true })) {
    expect(text).toBe("");
    element.done();
  }
  expect([...queue.quarantined()]).toEqual([]);
  expect(queue.count()).toBe(0);
});

test("what lies there locked is not listed again and again", async () => {
  const listed: string[] = [];
  const calls = new Proxy(fs, {
    get: (fs, name) => {
      const call = Reflect.get(fs, name) as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => {
        if (name === "readdirSync" && /[0-9a-f]{8}$/.test(String(args[0]))) listed.push(String(args[0]));
        return call(...args);
      };
    },
  }) as FileCalls;
  const { queue, consume } = types.simple({}, { calls });
  const old = new SimpleQueue({ path, granularity: 0 }, { clock: () => 1_600_000_000_000_000 });
  for (let n = 0; n < 100; n++) queue.lock(old.add("x"));
  await sleep(100);
  listed.length = 0;
  const adder = setInterval(() => types.simple().add("new"), 100);
  let count = 0;
  for await (const { element } of consume({ wait: PATIENCE / 1000 })) {
    element.done();
    if (++count === 20) break;
  }
  clearInterval(adder);
  expect(listed.filter((directory) => directory.endsWith("5f5e1000")).length).toBeLessThanOrEqual(1);
});

test("links and foreign files are not elements", async () => {
  const { consume, add } = types.simple();
  const name = add("a");
  const directory = join(path, name.slice(0, 8));
  symlinkSync("/etc/passwd", join(directory, "00000000000000"));
  mkdirSync(join(directory, "00000000000001"));
  writeFileSync(join(directory, "README"), "");
  const seen: string[] = [];
  for await (const { element } of consume({ wait: 0 })) {
    seen.push(element.name);
    element.done();
  }
  expect(seen).toEqual([name]);
});

test("a null queue has nothing, for as long as it is waited for", async () => {
  const started = performance.now();
  expect(await new NullQueue().consume({ wait: 0.1 }).next()).toMatchObject({ done: true });
  expect(performance.now() - started).toBeGreaterThan(90);
});
