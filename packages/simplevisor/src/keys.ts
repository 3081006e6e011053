import type { OptionEntry } from "@spoolwire/program";
import { strategies } from "./child.js";

/** What an entry of a service may say. */
export const serviceKeys = [
  { name: "name", type: "string", help: "unique among its siblings" },
  { name: "run", type: "string", help: "a command in the foreground, which is ours" },
  { name: "control", type: "string", help: "a command that takes start, stop, status and restart" },
  { name: "start", type: "string", help: "a command that starts it and ends" },
  { name: "stop", type: "string", help: "a command that stops it" },
  { name: "status", type: "string", help: "a command whose status is 0 if it runs, 3 if not" },
  {
    name: "restart",
    type: "string",
    help: "permanent, transient or temporary; or a command, or stop+start",
  },
  {
    name: "daemon",
    type: "string",
    help: "a pid file: `start` runs in the foreground, and is kept in the background",
  },
  { name: "pattern", type: "string", help: "a regular expression that finds it in the process table" },
  {
    name: "expected",
    type: "string",
    choices: ["running", "stopped"],
    default: "running",
    help: "how it should be",
  },
  { name: "path", type: "string", help: "the PATH of its commands" },
  { name: "timeout", type: "number", default: 60, help: "seconds that a command may take" },
  {
    name: "start-timeout",
    type: "number",
    aliases: ["start_timeout"],
    help: "seconds to be ready (default: timeout)",
  },
  {
    name: "stop-timeout",
    type: "number",
    aliases: ["stop_timeout"],
    help: "seconds to stop before it is killed",
  },
  { name: "depends", type: "string", help: "siblings that must run before it" },
  { name: "env", type: "properties", help: "what its environment has beside ours" },
  { name: "cwd", type: "string", help: "its working directory (default: ours)" },
  { name: "shell", type: "boolean", help: "run its commands through /bin/sh" },
  { name: "backoff", type: "properties", help: "base, factor, cap, jitter, healthy" },
  { name: "ready", type: "string", help: "what must hold before it counts as running" },
  { name: "health", type: "string", help: "what must hold while it runs" },
  {
    name: "health-interval",
    type: "number",
    aliases: ["health_interval"],
    default: 10,
    min: 0.05,
    help: "seconds between two looks",
  },
  { name: "instances", type: "string", help: "how many of it: N, or N..M" },
  {
    name: "scale",
    type: "string",
    help: "a queue's depth or age for each instance more: queue:PATH depth>N",
  },
  {
    name: "scale-interval",
    type: "number",
    aliases: ["scale_interval"],
    default: 1,
    min: 0.05,
    help: "seconds between two looks at it",
  },
] as const satisfies readonly OptionEntry[];

/** What an entry of a supervisor may say, beside its children. */
export const supervisorKeys = [
  { name: "name", type: "string", default: "supervisor", help: "unique among its siblings" },
  {
    name: "expected",
    type: "string",
    choices: ["none", "running", "stopped"],
    default: "none",
    help: "how all below it should be",
  },
  {
    name: "strategy",
    type: "string",
    choices: strategies,
    default: "one_for_one",
    help: "whom a failure takes along",
  },
  { name: "window", type: "integer", min: 1, default: 12, help: "cycles that are looked at" },
  {
    name: "adjustments",
    type: "integer",
    default: 3,
    help: "adjusted cycles that are too many if there are more",
  },
  {
    name: "intensity",
    type: "integer",
    aliases: ["max_restarts"],
    help: "restarts that are too many if there are more",
  },
  {
    name: "period",
    type: "number",
    aliases: ["max_time"],
    default: 60,
    help: "seconds in which they are counted",
  },
  { name: "depends", type: "string", help: "siblings that must run before it" },
] as const satisfies readonly OptionEntry[];
