import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { SimpleQueue } from "@spoolwire/dirq";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { dirq, eachInDirectory, startDirq } from "./helpers.js";

const directory = eachInDirectory();
let queue: SimpleQueue;
beforeEach(() => {
  queue = new SimpleQueue({ path: join(directory(), "queue") });
});

const soon = { timeout: 8000, interval: 20 };
const objects = (text: string) =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe("dirq watch", () => {
  /** What was told of one element, as words. */
  const told = (text: string, name: string) =>
    objects(text)
      .filter((object) => object.name === name)
      .map((object) => object.what);

  /** A watch that has begun: it tells of a sign that is given until it does. */
  async function startWatch() {
    const watch = startDirq(["watch", queue.path, "--json"]);
    await vi.waitFor(() => {
      queue.remove(queue.add("sign") && lockFirst());
      expect(watch.stdout()).not.toBe("");
    }, soon);
    return watch;
  }

  function lockFirst(): string {
    const name = [...queue].find((candidate) => queue.lock(candidate));
    return name!;
  }

  test("tells what happens to an element, and ends without a fault when it is told to", async () => {
    const watch = await startWatch();
    const expectTold = (name: string, ...words: string[]) =>
      vi.waitFor(() => expect(told(watch.stdout(), name)).toEqual(words), soon);
    const name = queue.add("x");
    await expectTold(name, "added");
    queue.lock(name);
    await expectTold(name, "added", "locked");
    queue.unlock(name);
    await expectTold(name, "added", "locked", "unlocked");
    queue.lock(name);
    queue.remove(name);
    await vi.waitFor(() => expect(told(watch.stdout(), name).at(-1)).toBe("removed"), soon);
    watch.stop();
    expect(await watch.done).toBe(0);
  });

  test("tells of what was there but for a moment", async () => {
    const watch = await startWatch();
    const name = queue.add("x");
    queue.lock(name);
    queue.remove(name);
    await vi.waitFor(() => expect(told(watch.stdout(), name)).toEqual(["added", "removed"]), soon);
    watch.stop();
    await watch.done;
  });

  test("tells nothing of what has an element's name and is none", async () => {
    const watch = await startWatch();
    const foreign = `${queue.add("x").slice(0, 8)}/00000000000000`;
    mkdirSync(join(queue.path, foreign));
    const name = queue.add("y");
    await vi.waitFor(() => expect(told(watch.stdout(), name)).toEqual(["added"]), soon);
    expect(told(watch.stdout(), foreign)).toEqual([]);
    watch.stop();
    await watch.done;
  });

  test("says which of several queues is not there, and ends", async () => {
    expect(await dirq(["watch", queue.path, `${queue.path}/none`])).toMatchObject({
      status: 66,
      stderr: expect.stringMatching(/^dirq watch: ENOENT: .*none/) as string,
    });
  });
});

describe("dirq top", () => {
  test("writes one frame with --once, for people or as JSON", async () => {
    queue.add("x");
    queue.lock(queue.add("y"));
    const args = ["top", queue.path, "--once", "--interval", "0.1"];
    const [heading, row] = (await dirq(args)).stdout.split("\n");
    expect(heading).toMatch(/^elements +locked +quarantined +oldest +in\/s +out\/s +queue$/);
    const cells = row?.trim().split(/ +/) ?? [];
    expect([...cells.slice(0, 3), cells.at(-1)]).toEqual(["2", "1", "0", queue.path]);
    expect(objects((await dirq([...args, "--json"])).stdout)).toMatchObject([
      { queue: queue.path, elements: 2, locked: 1, quarantined: 0, in: 0, out: 0 },
    ]);
  });

  test("counts what comes and goes, though it is never there when the frame is made", async () => {
    const top = startDirq(["top", queue.path, "--json", "--interval", "0.1"]);
    let [added, frames] = [0, [] as Record<string, unknown>[]];
    await vi.waitFor(() => {
      const name = queue.add("x");
      queue.lock(name);
      queue.remove(name);
      added++;
      frames = objects(top.stdout());
      const flows = frames.filter((frame) => Number(frame.in) > 0 && Number(frame.out) > 0);
      expect(flows.length).toBeGreaterThan(0);
    }, soon);
    top.stop();
    expect(await top.done).toBe(0);
    expect(frames.every((frame) => frame.elements === 0)).toBe(true);
    expect(added).toBeGreaterThan(0);
  });

  test("goes on with the others when a queue is not there", async () => {
    const top = startDirq(["top", queue.path, `${queue.path}/none`, "--interval", "0.1"]);
    await vi.waitFor(() => expect(top.stdout()).toMatch(/none: ENOENT/), soon);
    expect(top.stdout()).toContain(`${queue.path}\n`);
    top.stop();
    expect(await top.done).toBe(0);
  });

  test("draws over the terminal as far as it reaches, and gives it back as it was", async () => {
    queue.add("x");
    const path = queue.path;
    const terminal = { isTTY: true, columns: 30, rows: 3 };
    const top = startDirq(["top", path, path, path, "--interval", "0.1"], terminal);
    await vi.waitFor(() => expect(top.stdout()).toContain("\x1b[H"), soon);
    top.type("q");
    expect(await top.done).toBe(0);
    const text = top.stdout();
    expect(text.startsWith("\x1b[?1049h\x1b[?25l")).toBe(true);
    expect(text.endsWith("\x1b[?25h\x1b[?1049l")).toBe(true);
    const [, frame = ""] = text.split("\x1b[H");
    const lines = frame.replaceAll(/\x1b\[[\d;?]*[A-Za-z]/g, "").split("\r\n");
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(30);
    expect(top.rawModes).toEqual([true, false]);
  });

  test("has no colours with NO_COLOR", async () => {
    vi.stubEnv("NO_COLOR", "1");
    const top = startDirq(["top", queue.path], { isTTY: true, columns: 80, rows: 9 });
    await vi.waitFor(() => expect(top.stdout()).toContain("elements"), soon);
    top.type("\x03");
    await top.done;
    vi.unstubAllEnvs();
    expect(top.stdout()).not.toMatch(/\x1b\[(1|31)m/);
  });
});

describe("dirq bench", () => {
  test("measures, and leaves nothing behind", async () => {
    const place = join(directory(), "place");
    mkdirSync(place);
    const { status, stdout } = await dirq(["bench", place, "--duration", "0.02", "--json"]);
    expect(status).toBe(0);
    expect(objects(stdout)).toHaveLength(4);
    for (const result of objects(stdout)) expect(result.rate).toBeGreaterThan(0);
    expect(readdirSync(place)).toEqual([]);
    const { stdout: table } = await dirq(["bench", place, "--duration", "0.02"]);
    expect(table).toMatch(/^.*place: .*elements of 1000 bytes\n +a second\nadd +\d+\n/);
  });

  test("makes no directory to measure in", async () => {
    const missing = join(directory(), "missing");
    expect(await dirq(["bench", missing])).toMatchObject({ status: 66 });
    expect(existsSync(missing)).toBe(false);
  });
});
