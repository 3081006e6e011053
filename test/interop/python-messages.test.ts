// Messages in a normal queue, as the original message queue has them (Messaging::Message::Queue::DQN, and its sister
// in Python): the original directory queue in Python with their schema, on the same directory as ours.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DqnQueue, Message } from "@spoolwire/message";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../helpers/broker.js";
import { requires } from "../helpers/requirements.js";
import { call } from "../helpers/soak.js";

const schema = { header: "table", binary: "binary?", text: "string?" };

/** An element as theirs has it; bytes are characters. */
interface Element {
  header: Record<string, string>;
  text?: string;
  binary?: string;
}

let top: string;
let path: string;
let ours: DqnQueue;
beforeEach(() => {
  top = temporaryDirectory("python");
  path = join(top, "queue");
  ours = new DqnQueue({ path });
});
afterEach(() => removeDirectory(top));

const theirs = (method: string, args: string[] = [], input?: string) =>
  String(call("dirq-call-normal.py", [path, JSON.stringify(schema), method, ...args], input));

const elementOf = ({ header, body }: Message): Element => ({
  header: { ...header },
  ...(typeof body === "string" ? { text: body } : { binary: body.toString("latin1") }),
});

const awkward = "\\ \\\\ \t \n \r \0 = é € \u2028 \u0085 \ufeff \u{1f600}";
const messages: [string, Message][] = [
  ["nothing, as text", new Message()],
  ["nothing, as bytes", new Message({ body: Buffer.alloc(0) })],
  ["text", new Message({ header: { destination: "/queue/app.data", persistent: "true" }, body: awkward })],
  ["every byte", new Message({ body: Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)) })],
  [
    "headers of all kinds",
    new Message({ header: { "": "", [awkward]: awkward, "\u{1f600}": "1", "\uff5e": "2" } }),
  ],
];

describe.runIf(requires("python3-dirq"))("with the original in Python", () => {
  test.each(messages)("a message that it adds is read here: %s", (_, message) => {
    const name = theirs("add", [], JSON.stringify(elementOf(message)));
    expect(ours.lock(name)).toBe(true);
    expect(ours.getMessage(name)).toStrictEqual(message);
    expect(ours.remove(name)).toBe(true);
    expect(theirs("count")).toBe("0");
  });

  test.each(messages)("a message that is added here it reads: %s", (_, message) => {
    const name = ours.addMessage(message);
    expect(theirs("lock", [name])).toBe("True");
    expect(JSON.parse(theirs("get", [name]))).toEqual(elementOf(message));
    theirs("remove", [name]);
    expect(ours.count()).toBe(0);
  });

  test.each(messages)("both write the same files: %s", (_, message) => {
    const names = [ours.addMessage(message), theirs("add", [], JSON.stringify(elementOf(message)))];
    const [one, two] = names.map((name) => {
      const files = readdirSync(join(path, name)).sort();
      return files.map((file) => [file, readFileSync(join(path, name, file), "latin1")]);
    });
    expect(one).toEqual(two);
  });

  test("messages that were added in groups, on a sure disk, are its elements in order", async () => {
    const all = messages.map(([, message]) => message);
    const names = await new DqnQueue({ path, durability: "full", maxelts: 2 }).addMessages(all);
    expect(theirs("names").split("\n")).toEqual(names);
  });
});
