import {
  checkAll,
  checkService,
  ConfigError,
  excludes,
  perlVariables,
  requires,
  serviceOptions,
  type ConfigBlock,
  type ConfigNode,
  type Invocation,
  type Lookup,
  type OptionEntry,
  type ProgramSpec,
} from "@spoolwire/program";
import { serviceKeys, supervisorKeys } from "./keys.js";
import { readEntries, type Spec } from "./entry.js";

export const options = [
  ...serviceOptions,
  { name: "store", type: "string", value: "FILE", help: "keep the state here from one run to the next" },
  {
    name: "interval",
    type: "number",
    value: "SECONDS",
    default: 60,
    min: 0.1,
    help: "between two cycles of supervision",
  },
  {
    name: "rundir",
    type: "string",
    value: "DIR",
    help: "where the supervisor is reached (default: by the name of the configuration)",
  },
  { name: "jobs", type: "integer", value: "N", default: 16, min: 1, help: "commands that run at once" },
  { name: "follow", type: "boolean", short: "f", notInFiles: true, help: "logs: go on with what comes" },
  { name: "logname", type: "string", value: "NAME", help: "taken for the sake of older configurations" },
] as const satisfies readonly OptionEntry[];

/** The program, as it was called. */
export type Simplevisor = Invocation<typeof options>;

export const commands = {
  start: "supervise; with a path, start that child and keep it running",
  stop: "stop all and the supervisor; with a path, stop that child and keep it stopped",
  restart: "with a path: stop that child and start it",
  status: "tell whether the supervisor, or the child of a path, runs (3: it does not)",
  check: "tell whether all are as expected (1: they are not)",
  tree: "draw the tree",
  logs: "show the last lines that the child of a path has written (-f: and what comes)",
  reload: "read the configuration again; what has not changed is not touched",
  single: "one cycle of supervision, for cron",
  wake_up: "a cycle of supervision now",
  restart_child: "as restart",
  stop_supervisor: "stop the supervisor, and leave all as they are",
  stop_children: "stop all but the supervisor, until wake_up",
  check_configuration: "tell all that is wrong with the configuration",
  help: "show the options",
} as const;

export type CommandName = keyof typeof commands;

export const program: ProgramSpec<typeof options> = {
  name: "simplevisor",
  version: "0.1.0",
  summary: "Keep services running.",
  commands,
  keys: { "Entries of services": serviceKeys, "Entries of supervisors": supervisorKeys },
  options,
  relations: [requires("quit", "pidfile"), requires("status", "pidfile"), excludes("status", "quit")],
  operands: "COMMAND [PATH]",
  configuration: { root: "simplevisor", options: optionsOf, interpolate: variables },
  check: (options, _, tree) => checkConfiguration(options, tree),
};

/** @throws ConfigError with all that is wrong */
export function checkConfiguration(options: Simplevisor["options"], tree: ConfigBlock | undefined): void {
  checkAll(
    () => checkService(options),
    () => entriesOf(tree),
  );
}

/** The entries of a configuration. @throws ConfigError with all that is wrong */
export function entriesOf(tree: ConfigBlock | undefined): Spec {
  if (!tree) throw new ConfigError("Expected --conf FILE");
  return readEntries(tree);
}

/** What is neither an entry nor a variable; what the original calls critical is an error here. */
function optionsOf(tree: ConfigBlock): ConfigBlock {
  const rest = (block: ConfigBlock): ConfigBlock => ({
    ...block,
    entries: new Map(
      [...block.entries]
        .filter(([name]) => name !== "entry" && !name.startsWith("var_"))
        .map(([name, nodes]) => [name, nodes.map((node) => understood(name, node))]),
    ),
  });
  const understood = (name: string, node: ConfigNode): ConfigNode => {
    if (node.kind === "block") return name === "simplevisor" ? rest(node) : node;
    return name === "loglevel" && node.text === "critical" ? { ...node, text: "error" } : node;
  };
  return rest(tree);
}

/** Only `${var_NAME}` is a variable: a dollar sign in a pattern or a command means itself, as in the original. */
function variables(text: string, lookup: Lookup): string {
  return text.replace(/\$\{var_[\w-]+\}/g, (name) => perlVariables(name, lookup));
}
