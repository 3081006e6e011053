import { durabilities } from "@spoolwire/dirq";
import type { OptionEntry } from "@spoolwire/program";

// Options that several commands have, each under one name with one meaning.

/** What the elements of a queue are. */
export const typeOptions = [
  {
    name: "type",
    type: "string",
    short: "t",
    choices: ["simple", "normal", "DQS", "DQN"],
    help: "what the queue is (default: as its directory looks); DQS: simple, DQN: normal, of messages",
  },
  {
    name: "schema",
    type: "properties",
    value: "FIELD=TYPE…",
    help: "a normal queue: binary, string or table, with ? if a field may be missing (default: messages)",
  },
] as const satisfies readonly OptionEntry[];

export const jsonOption = {
  name: "json",
  type: "boolean",
  help: "write JSON, one object a line",
} as const satisfies OptionEntry;

export const statisticsOption = {
  name: "statistics",
  type: "boolean",
  short: "s",
  help: "tell how many elements there were, and how fast",
} as const satisfies OptionEntry;

/** How elements are written. */
export const formOptions = [
  { name: "body", type: "boolean", help: "the elements are messages: write their bodies" },
  { name: "json", type: "boolean", help: "the elements are messages: write each as a line of JSON" },
] as const satisfies readonly OptionEntry[];

/** How elements are added. */
export const addingOptions = [
  {
    name: "compression",
    type: "string",
    value: "ALGORITHM",
    help: "of messages: zlib, lz4 or snappy, where it is worth it; with ! wherever there is a body",
  },
  {
    name: "durability",
    type: "string",
    choices: durabilities,
    help: "what an added element survives: a crash (none), a power cut, if it was whole (file), or always (full)",
  },
] as const satisfies readonly OptionEntry[];

export const lockedOption = {
  name: "locked",
  type: "boolean",
  help: "they are locked already, by dirq lock",
} as const satisfies OptionEntry;
