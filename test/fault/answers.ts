// Brokers whose answers come late, twice or never, that end a connection with an ERROR in mid-window, or that fall
// silent: agents find out by themselves, come back, and lose nothing.
import { startFaultProxy, type Rewrite } from "../helpers/fault-proxy.js";
import { noCounts, seeded, type BrokerCampaignOptions, type Campaign } from "./campaign.js";
import { Flow, WINDOW } from "./flow.js";

/** Messages a round. */
const MESSAGES = 300;

/** Both agents come back in this time, whatever it was: time-outs, heart-beats and back-off; on a busy machine. */
const BACK_SECONDS = 60;

const kinds = ["late", "twice", "missing", "error", "silent"] as const;
type Kind = (typeof kinds)[number];

export const answers: Campaign<BrokerCampaignOptions> = {
  name: "answers",
  summary: `receipts come late, twice or never, an ERROR in mid-window, a connection falls silent: by turns`,
  rounds: 25,
  run: async ({ seed, rounds, broker, progress }) => {
    const random = seeded(seed);
    let kind: Kind = "late";
    let struck = 0;
    /** So many connections go wrong; those after them would, too, and no agent would ever get on. */
    let left = 0;
    await using between = await startFaultProxy(broker.port, {
      rewriteDown: () => framewise(left-- > 0 ? misbehave(kind, random, () => struck++) : well),
    });
    // What a user would say who wants to know soon, and to be back soon.
    const uri = `failover:(stomp://127.0.0.1:${between.port})?maxReconnectDelay=1000`;
    const more = ["--heart-beat", "--timeout-client", "1", "--timeout-server", "1", "--timeout-broker", "2"];
    await using flow = new Flow({ ...broker, uri }, { more });
    for (let round = 0; round < rounds; round++) {
      progress(round);
      kind = kinds[round % kinds.length]!;
      // That of each agent; what is late or comes twice disturbs nobody for long.
      left = kind === "late" || kind === "twice" ? Infinity : kind === "silent" ? 0 : 2;
      const before = struck + silences(flow);
      if (kind === "silent") {
        between.strikeNext({ direction: "down", after: 500 + Math.floor(random() * 5000), kind: "stall" });
      }
      flow.send(MESSAGES);
      const all = (round + 1) * MESSAGES;
      // With what is to come, on new connections.
      between.reset();
      await flow.until(() => {
        flow.take();
        return flow.taken === all;
      }, BACK_SECONDS);
      if (struck + silences(flow) === before)
        throw new Error(`Expected something to be ${kind} in round ${round + 1}`);
    }
    await flow.finish();
    const counts = noCounts();
    flow.book.addTo(counts);
    // Each round both agents are cut off, and then again by what is wrong.
    const bound = rounds * 4 * WINDOW;
    if (counts.duplicates > bound) {
      throw new Error(`Expected at most ${bound} duplicates, got ${counts.duplicates}`);
    }
    return counts;
  },
};

/** How often an agent has found out that nothing comes any more. */
const silences = (flow: Flow) => flow.told.match(/No heart-beat for|No receipt for/g)?.length ?? 0;

/** What becomes of a frame: it goes on by `send`, at once or later, or not. */
type Misbehaviour = (frame: Buffer, send: (bytes: Uint8Array) => void) => void;

const well: Misbehaviour = (frame, send) => send(frame);

const isReceipt = (frame: Buffer) => /^\n*RECEIPT\n/.test(frame.toString("latin1", 0, 20));

function misbehave(kind: Kind, random: () => number, struck: () => void): Misbehaviour {
  // CONNECTED, and the receipt of a SUBSCRIBE, which a session begins with.
  let seen = 0;
  const at = 3 + Math.floor(random() * 20);
  const later = (work: () => void) => void setTimeout(work, 20 + random() * 500).unref();
  return (frame, send) => {
    seen++;
    if (seen < 3) send(frame);
    else if (kind === "error") {
      if (seen === at) struck();
      // Nothing comes behind it.
      if (seen === at) send(Buffer.from("ERROR\nmessage:injected\n\n\0"));
      else if (seen < at) send(frame);
    } else if (!isReceipt(frame)) send(frame);
    else if (kind === "missing") {
      if (seen >= at && seen < at + 3) struck();
      else send(frame);
    } else {
      struck();
      if (kind === "twice") send(frame);
      later(() => send(frame));
    }
  };
}

/** Bodies have no NUL, so it ends a frame. What is no whole frame yet waits, but for heart-beats. */
function framewise(misbehaviour: Misbehaviour): Rewrite {
  let rest = Buffer.alloc(0);
  return (chunk, send) => {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0)) {
      misbehaviour(rest.subarray(0, end + 1), send);
      rest = rest.subarray(end + 1);
    }
    if (/^\n+$/.test(rest.toString("latin1"))) {
      send(rest);
      rest = Buffer.alloc(0);
    }
  };
}
