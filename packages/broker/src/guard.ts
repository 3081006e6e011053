import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readdirSync, rmSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { BusyError } from "./errors.js";

const NAME = /^broker-[0-9a-f]{8}\.sock$/;

/** The longest path a unix socket may have everywhere; Node cuts a longer one without a word. */
const LONGEST = 103;

/** How long a broker that is there may take to say who it is, milliseconds. */
const ANSWER_MS = 1000;

/**
 * Keep other brokers from a directory until the returned function is called, or this process dies.
 *
 * Each broker listens on a unix socket of its own in the directory, and looks for others only when it
 * does. The kernel stops answering for a process that is killed, so nothing is ever left to repair; a
 * name is never used twice, so removing a dead one can hit nobody else; and of two that start at the same
 * moment at least the later one sees the other. (A pid file with the start time needs /proc, and is wrong
 * between containers.)
 * @param whoWeAre what a second broker is told
 * @throws BusyError BROKER_BUSY naming the broker that is there
 */
export async function guard(directory: string, whoWeAre: () => string): Promise<() => Promise<void>> {
  const own = `broker-${randomBytes(4).toString("hex")}.sock`;
  const place = shorten(directory, own);
  const path = join(place.path, own);
  const server = net.createServer((socket) => {
    // A rival that is gone before it has its answer is no failure of ours.
    socket.on("error", () => {}).end(whoWeAre());
  });
  await once(server.listen(path), "listening");
  server.unref();
  const release = async () => {
    await new Promise<void>((resolve) => server.close(() => resolve()));
    place.close();
  };
  for (const name of readdirSync(directory)) {
    if (!NAME.test(name) || name === own) continue;
    const other = await ask(join(place.path, name));
    if (other === undefined) {
      rmSync(join(directory, name), { force: true });
      continue;
    }
    await release();
    throw new BusyError(`The data directory ${directory} is served by another broker: ${other}`);
  }
  return release;
}

/** A path to the directory that a socket can have: a long one is said by way of an open descriptor, on Linux. */
function shorten(directory: string, name: string): { readonly path: string; close(): void } {
  const isShort = Buffer.byteLength(join(directory, name)) <= LONGEST;
  if (isShort) return { path: directory, close: () => {} };
  if (!existsSync("/proc/self/fd")) {
    const most = LONGEST - name.length - 1;
    throw new RangeError(
      `Expected the data directory to have a path of at most ${most} bytes, got ${directory}`,
    );
  }
  const fd = openSync(directory, "r");
  return { path: `/proc/self/fd/${fd}`, close: () => closeSync(fd) };
}

/** Who listens on a socket; undefined: nobody does. */
async function ask(path: string): Promise<string | undefined> {
  const socket = net.connect(path);
  let answer = "";
  const timer = setTimeout(() => socket.destroy(), ANSWER_MS);
  return await new Promise((resolve) => {
    let failure = "";
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => (answer += text));
    socket.on("error", (error: NodeJS.ErrnoException) => (failure = error.code ?? error.message));
    socket.on("close", () => {
      clearTimeout(timer);
      // Anything but a plain "nobody is there" may be a broker that is busy.
      const isDead = failure === "ECONNREFUSED" || failure === "ENOENT";
      resolve(isDead ? undefined : answer || "one that does not say who it is");
    });
  });
}
