// The agent sends datagrams: a frame each, and nobody answers.
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { join } from "node:path";
import { DqsQueue, Message } from "@spoolwire/message";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { run } from "../../helpers/programs.js";

let directory: string;
let queue: DqsQueue;
let socket: Socket;
let uri: string;
const received: string[] = [];

beforeEach(async () => {
  directory = temporaryDirectory("udp");
  queue = new DqsQueue({ path: join(directory, "a") });
  received.length = 0;
  socket = createSocket("udp4", (bytes) => received.push(bytes.toString()));
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  uri = `udp://127.0.0.1:${socket.address().port}`;
});
afterEach(() => {
  socket.close();
  removeDirectory(directory);
});

const send = () =>
  run("stompclt", ["--incoming-queue", `path=${queue.path}`, "--remove", "--outgoing-broker-uri", uri]);
const add = (header: Record<string, string>, body: string) =>
  queue.addMessage(new Message({ header: { destination: "/topic/a", ...header }, body }));

test("each message is a SEND frame in a datagram, and then gone", async () => {
  for (let index = 0; index < 50; index++) add({ time: "12:30" }, `café ${index}`);
  expect(await send()).toMatchObject({ status: 0, stderr: "" });
  expect(queue.count()).toBe(0);
  await expect.poll(() => received.length).toBe(50);
  expect(received[7]).toBe(
    "SEND\ndestination:/topic/a\ntime:12:30\ncontent-type:text/unknown\ncontent-length:7\n\ncafé 7\0",
  );
});

test("what no datagram can hold, or STOMP 1.0 say, is told of and stays", async () => {
  const large = add({}, "x".repeat(65_507));
  const odd = add({ odd: "two\nlines" }, "x");
  add({}, "fine");
  const { status, stderr } = await send();
  expect(stderr).toContain(
    `${large}: Expected a datagram of at most 65507 bytes, got 65582; it stays where it is`,
  );
  expect(stderr).toContain(`${odd}: Header "odd" cannot be sent in STOMP 1.0`);
  expect(status).toBe(65);
  expect([...queue]).toEqual([large, odd]);
  await expect.poll(() => received.length).toBe(1);
});

test("nobody need be there, and is told of at most once", async () => {
  const { port } = socket.address();
  socket.close();
  await once(socket, "close");
  for (let index = 0; index < 50; index++) add({}, "x");
  const { status, stderr } = await send();
  expect(status).toBe(0);
  expect(stderr.split("\n").length).toBeLessThanOrEqual(2);
  expect(queue.count()).toBe(0);
  socket = createSocket("udp4").bind(port, "127.0.0.1");
  await once(socket, "listening");
});

test("a host that is not there is", async () => {
  uri = "udp://no-such-host.invalid:9";
  add({}, "x");
  const { status, stderr } = await send();
  expect(stderr).toMatch(/^stompclt: broker udp:\/\/no-such-host\.invalid:9: getaddrinfo /);
  expect(status).toBe(69);
  expect(queue.count()).toBe(1);
});
