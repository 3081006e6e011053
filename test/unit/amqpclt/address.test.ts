// Where messages of AMQP 0-9-1 go and come from, in all the forms that users write.
import { parseDestination, parseSubscription } from "@spoolwire/amqpclt";
import { parseProperties } from "@spoolwire/program";
import { describe, expect, test } from "vitest";

const kept = { durable: true, exclusive: false, autoDelete: false, arguments: {} };
const own = { name: "", declare: { durable: false, exclusive: true, autoDelete: true, arguments: {} } };
const topic = { type: "topic", durable: true, autoDelete: false, internal: false, arguments: {} };
const plain = { routingKey: "", arguments: {} };

const list = "exchange=name=app,type=topic queue=name=app.in,auto_delete=false routing_key=data.%23";
const whole = {
  exchange: { name: "app", declare: topic },
  queue: { name: "app.in", declare: kept },
  routingKey: "data.#",
  arguments: {},
};

describe.each([
  ["/queue/a/b", { queue: { name: "a/b", declare: kept }, routingKey: "a/b" }],
  ["/amq/queue/a", { queue: { name: "a" }, routingKey: "a" }],
  ["/topic/a.b", { exchange: { name: "amq.topic" }, routingKey: "a.b" }],
  ["/exchange/e/a/b", { exchange: { name: "e" }, routingKey: "a/b" }],
  ["/exchange/e", { exchange: { name: "e" } }],
  ["queue=a", { queue: { name: "a", declare: kept }, routingKey: "a" }],
  ["queue=name=a,passive=1", { queue: { name: "a" }, routingKey: "a" }],
  ["exchange=e routing_key=k", { exchange: { name: "e" }, routingKey: "k" }],
  [
    "exchange=name=e,type=fanout,durable=false,auto_delete=1,internal=true",
    {
      exchange: {
        name: "e",
        declare: { type: "fanout", durable: false, autoDelete: true, internal: true, arguments: {} },
      },
    },
  ],
  [list, whole],
  [list.replaceAll(" ", ","), whole],
  [list.replaceAll(",", " "), whole],
  ["routing_key=data.%23,queue=name%3Dapp.in%2Cdurable%3Dtrue,exchange=name%3Dapp%2Ctype%3Dtopic", whole],
  [
    "exchange=e,queue=q,arguments=x-match%3Dany%2Cn%3D7%2Cis%3Dtrue",
    {
      exchange: { name: "e" },
      queue: { name: "q", declare: kept },
      arguments: { "x-match": "any", n: 7, is: true },
    },
  ],
  [
    "queue=name%3Dq%2Carguments%3Dx-queue-type%253Dquorum%252Cx-max-length%253D10",
    {
      queue: {
        name: "q",
        declare: { ...kept, arguments: { "x-queue-type": "quorum", "x-max-length": 10 } },
      },
      routingKey: "q",
    },
  ],
])("%s", (text, expected) => {
  test("as a destination and as a subscription", () => {
    const address = { ...plain, ...expected };
    expect(parseDestination(text)).toEqual(address);
    const properties = text.startsWith("/") ? { destination: text } : parseProperties(text, "--subscribe");
    // Who names no queue gets one of his own.
    expect(parseSubscription(properties)).toEqual({ queue: own, ...address });
  });
});

test.each([
  ["anywhere", "a destination as /queue/NAME, /topic/KEY, .*, got"],
  ["/queue/", "a destination as /queue/NAME"],
  ["/dsub/x", "a destination as /queue/NAME"],
  ["routing_key=k", "a destination to have exchange= or queue="],
  ["queue=a,arguments=x%3D1", "arguments of a destination to be of a binding, which needs exchange="],
  ["queue=a,colour=red", "a destination to be made of exchange, queue, routing_key, arguments, got .colour"],
  ["queue=name%3Da%2Ctype%3Dtopic", "the queue of a destination to be made of name, .*, got .type"],
  ["exchange=type%3Dtopic", "the exchange of a destination to have name=NAME"],
  ["queue=name=a,name=b", "the queue of a destination to have each key once, got name twice"],
  [`/queue/${"\u00e9".repeat(128)}`, "the queue of a destination to have at most 255 bytes, got 256"],
  [`/topic/${"x".repeat(256)}`, "the routing key of a destination to have at most 255 bytes, got 256"],
  [`exchange=${"x".repeat(300)}`, "the exchange of a destination to have at most 255 bytes, got 300"],
  ["queue=name=a,durable=perhaps", "durable in a destination to be true or false, got .perhaps"],
])("%s is refused", (text, words) => {
  expect(() => parseDestination(text)).toThrow(new RegExp(`^Expected ${words}`));
});
