import { expect, onTestFinished, test } from "vitest";
import { StompConnection, Trace, traceTopics, type TraceTopic } from "@spoolwire/stomp";
import { connected, frame, receipt, startStompServer } from "../../helpers/stomp-server.js";

const secret = 'pa"ss:wörd\\';

/** What is told of one connection, from its beginning to its end, the port being the same always. */
async function traced(...topics: TraceTopic[]): Promise<string[]> {
  const server = await startStompServer(async (peer) => {
    await peer.take("CONNECT");
    peer.send(connected({ server: "Fake/1" }) + frame("MESSAGE", { "message-id": "1" }, `x\n${secret}`));
    for await (const { headers } of peer.frames()) peer.send(receipt(headers.receipt));
  });
  onTestFinished(() => server.stop());
  const lines: string[] = [];
  const trace = new Trace(topics, (line) => lines.push(line.replaceAll(String(server.uri.port), "PORT")), [
    secret,
  ]);
  const connection = await StompConnection.open({ uri: server.uri, login: "me", passcode: secret, trace });
  await connection.confirm({ command: "SEND", headers: { destination: "/queue/a" }, body: Buffer.from("é") });
  await connection.close();
  return lines;
}

test.each<[TraceTopic[], string[]]>([
  [[], []],
  [
    ["connection"],
    [
      "connecting to stomp://127.0.0.1:PORT at 127.0.0.1",
      "connected to Fake/1 with STOMP 1.2, heart-beats 0,0",
      "The connection was closed",
    ],
  ],
  [
    ["api"],
    ["SEND with receipt 1", "receipt 1", "close", "resume", "DISCONNECT with receipt 2", "receipt 2"],
  ],
  [
    ["command"],
    [
      "sent CONNECT",
      "received CONNECTED",
      "received MESSAGE",
      "sent SEND",
      "received RECEIPT",
      "sent DISCONNECT",
      "received RECEIPT",
    ],
  ],
])("a trace of %j", async (topics, expected) => {
  expect(await traced(...topics)).toStrictEqual(expected);
});

test("a trace of headers and bodies hides the password, wherever it is", async () => {
  const lines = await traced("header", "body");
  expect(lines[0]).toBe(
    'sent CONNECT {"accept-version":"1.0,1.1,1.2","heart-beat":"0,0","login":"me","passcode":"…"} with 0 bytes ""',
  );
  expect(lines[2]).toBe(
    `received MESSAGE {"message-id":"1"} with ${2 + Buffer.byteLength(secret)} bytes "x …"`,
  );
  expect(lines[3]).toBe('sent SEND {"destination":"/queue/a","receipt":"1"} with 2 bytes "é"');
});

test("a trace of all has all, and never the password", async () => {
  const lines = await traced(...traceTopics);
  expect(lines.join("\n")).not.toContain("wörd");
  expect(lines).toContainEqual(expect.stringMatching(/^sent \d+ bytes$/));
  expect(lines).toContainEqual(expect.stringMatching(/^received \d+ bytes$/));
});

test("a trace quotes the beginning of a large body", () => {
  const lines: string[] = [];
  new Trace(["body"], (line) => lines.push(line)).frame("sent", {
    command: "SEND",
    headers: {},
    body: "x".repeat(1e6),
  });
  expect(lines[0]).toHaveLength('sent SEND with 1000000 bytes ""'.length + 201);
});
