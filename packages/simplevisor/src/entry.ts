import {
  bindTree,
  ConfigError,
  excludes,
  exactlyOne,
  requires,
  resolveValues,
  type ConfigBlock,
  type ConfigNode,
  type OptionEntry,
  type OptionValues,
  type Position,
  type Problem,
} from "@spoolwire/program";
import { backOffDefaults, type BackOffOptions } from "./backoff.js";
import type { Strategy } from "./child.js";
import { isOrdered } from "./strategy.js";
import { parsePattern, parseProbe, parseQueueCondition, type Probe, type QueueCondition } from "./probe.js";
import { restartPolicies, type RestartPolicy } from "./service.js";
import { serviceKeys, supervisorKeys } from "./keys.js";
import { literally, splitWords } from "./words.js";

/** How a service is started, stopped and asked. */
export type Form =
  /** A command in the foreground, which is ours. */
  | { readonly kind: "run"; readonly words: readonly string[] }
  /** A command in the foreground, kept in the background by simplevisor-loop behind a pid file. */
  | { readonly kind: "daemon"; readonly start: readonly string[]; readonly pidFile: string }
  /** Commands; what is undefined is done by the process table. */
  | {
      readonly kind: "commands";
      readonly start: readonly string[];
      readonly stop: readonly string[] | undefined;
      readonly status: readonly string[] | undefined;
      /** Undefined: stop and start. */
      readonly restart: readonly string[] | undefined;
      readonly pattern: RegExp;
    };

/** A `service` entry, checked. Times are in seconds. */
export interface ServiceSpec {
  readonly kind: "service";
  readonly name: string;
  readonly form: Form;
  readonly isExpected: boolean;
  readonly restart: RestartPolicy;
  readonly depends: readonly string[];
  /** Of each command. */
  readonly timeout: number;
  readonly startTimeout: number;
  readonly stopTimeout: number;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | undefined;
  readonly backOff: BackOffOptions;
  readonly ready: Probe | undefined;
  readonly health: Probe | undefined;
  readonly healthInterval: number;
  /** How many of it there are, at least and at most; undefined: it is one, under its own name. */
  readonly instances: { readonly least: number; readonly most: number } | undefined;
  readonly scale: QueueCondition | undefined;
  readonly scaleInterval: number;
  /** The same text: the same service. */
  readonly digest: string;
}

/** A `supervisor` entry, checked. */
export interface SupervisorSpec {
  readonly kind: "supervisor";
  readonly name: string;
  readonly isExpected: true;
  readonly depends: readonly string[];
  readonly strategy: Strategy;
  readonly window: number;
  readonly adjustments: number;
  readonly intensity: number;
  readonly period: number;
  readonly children: readonly Spec[];
}

export type Spec = ServiceSpec | SupervisorSpec;

/** Whether a supervisor says for all below it what is expected of them. */
type Inherited = "running" | "stopped" | undefined;

/**
 * The one root entry of a configuration.
 * @throws ConfigError with all that is wrong, each with file and line
 */
export function readEntries(tree: ConfigBlock): Spec {
  const reader = new EntryReader();
  const [root, second] = tree.entries.get("entry") ?? [];
  if (!root) reader.refuse("Expected an <entry>, got none", tree.at);
  if (second) reader.refuse("Expected one <entry> that holds all others, got a second one", second.at);
  const spec = root && reader.read(root, undefined);
  if (!spec || reader.problems.length > 0) throw new ConfigError(reader.problems);
  return spec;
}

class EntryReader {
  readonly problems: Problem[] = [];

  refuse(message: string, at: Position): undefined {
    this.problems.push({ message, at });
    return undefined;
  }

  read(node: ConfigNode, inherited: Inherited): Spec | undefined {
    if (node.kind !== "block") return this.refuse("Expected entry to be a block, got a value", node.at);
    const entries = new Map(node.entries);
    const [type, again] = entries.get("type") ?? [];
    for (const name of entries.keys()) if (name === "type" || name.startsWith("var_")) entries.delete(name);
    if (again) this.refuse("Expected type once in an entry, got it again", again.at);
    const word = type?.kind === "text" ? type.text : undefined;
    const block = { ...node, entries };
    if (word === "service") return this.#service(block, inherited);
    if (word === "supervisor") return this.#supervisor(block, inherited);
    const got = word === undefined ? "none" : `"${word}"`;
    return this.refuse(`Expected type to be service or supervisor, got ${got}`, type?.at ?? node.at);
  }

  #values<const Entries extends readonly OptionEntry[]>(
    block: ConfigBlock,
    keys: Entries,
    relations: Parameters<typeof resolveValues>[1],
  ): OptionValues<Entries> | undefined {
    const { given, problems } = bindTree(block, keys, "");
    const resolved = resolveValues(keys, relations, given, problems.length > 0);
    const all = [...problems, ...resolved.problems];
    this.problems.push(...all.map((problem) => ({ ...problem, at: problem.at ?? block.at })));
    return all.length > 0 ? undefined : resolved.values;
  }

  #supervisor(block: ConfigBlock, inherited: Inherited): Spec | undefined {
    const entries = new Map(block.entries);
    const holders = entries.get("children") ?? [];
    entries.delete("children");
    const values = this.#values({ ...block, entries }, supervisorKeys, [requires("period", "intensity")]);
    const said = values?.expected ?? "none";
    const expected = inherited ?? (said === "none" ? undefined : (said as Inherited));
    const children = this.#children(holders, block.at, expected);
    if (!values) return undefined;
    if (isOrdered(values.strategy as Strategy)) this.#checkOrder(children, values.strategy, block.at);
    return {
      kind: "supervisor",
      name: this.#name(values.name, block),
      // It is there to see that those below are as they should be, stopped ones too.
      isExpected: true,
      depends: values.depends === undefined ? [] : splitWords(values.depends),
      strategy: values.strategy as Strategy,
      window: values.window,
      adjustments: values.adjustments,
      intensity: values.intensity ?? Infinity,
      period: values.period,
      children,
    };
  }

  #children(holders: readonly ConfigNode[], at: Position, expected: Inherited): Spec[] {
    const children: Spec[] = [];
    const names = new Map<string, Position>();
    for (const holder of holders) {
      if (holder.kind !== "block") {
        this.refuse("Expected children to be a block, got a value", holder.at);
        continue;
      }
      for (const [name, nodes] of holder.entries) {
        for (const node of nodes) {
          if (name !== "entry") {
            this.refuse(`Expected nothing but entry in children, got ${name}`, node.at);
            continue;
          }
          const child = this.read(node, expected);
          if (!child) continue;
          const first = names.get(child.name);
          if (first) {
            this.refuse(
              `Expected each name once among children, got ${child.name} again after line ${first.line}`,
              node.at,
            );
          }
          names.set(child.name, node.at);
          children.push(child);
        }
      }
    }
    if (names.size === 0 && holders.length === 0) this.refuse("Expected a supervisor to have children", at);
    for (const { name, depends } of children) {
      const place = names.get(name) ?? at;
      for (const other of depends) {
        if (!names.has(other) || other === name) {
          this.refuse(`Expected ${name} to depend on its siblings, got ${other}`, place);
        }
      }
      if (dependsOnItself(name, children)) this.refuse(`Expected ${name} not to depend on itself`, place);
    }
    return children;
  }

  /** Where each is started after the one before it, nobody can wait for one that comes later. */
  #checkOrder(children: readonly Spec[], strategy: string, at: Position): void {
    for (const [index, { name, depends }] of children.entries()) {
      const later = children.slice(index + 1).find((other) => depends.includes(other.name));
      if (later)
        this.refuse(`Expected ${later.name} before ${name}, which depends on it, with ${strategy}`, at);
    }
  }

  #name(name: string, block: ConfigBlock): string {
    const at = block.entries.get("name")?.[0]?.at ?? block.at;
    if (/[/\s]/.test(name)) this.refuse(`Expected a name without slash and space, got "${name}"`, at);
    return name;
  }

  #service(block: ConfigBlock, inherited: Inherited): Spec | undefined {
    const values = this.#values(block, serviceKeys, [
      exactlyOne("run", "start", "control"),
      excludes("daemon", "control", "run"),
      excludes("pattern", "status", "stop", "control", "run", "daemon"),
      excludes("run", "stop", "status"),
      requires("scale", "instances"),
      requires("scale-interval", "scale"),
      requires("instances", "run"),
    ]);
    if (!values) return undefined;
    const before = this.problems.length;
    const attempt = <Result>(key: string, make: () => Result): Result | undefined => {
      try {
        return make();
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        const at = block.entries.get(key)?.[0]?.at ?? block.at;
        return this.refuse(error.message, at);
      }
    };
    const probe = (key: "ready" | "health") => {
      const text = values[key];
      return text === undefined ? undefined : attempt(key, () => parseProbe(text, key));
    };
    const isPolicy = (restartPolicies as readonly string[]).includes(values.restart ?? "permanent");
    const { scale } = values;
    const spec: ServiceSpec = {
      kind: "service",
      name: this.#name(values.name ?? "", block),
      form: attempt("pattern", () => formOf(values, isPolicy)) ?? { kind: "run", words: [] },
      isExpected: (inherited ?? values.expected) === "running",
      restart: isPolicy ? ((values.restart ?? "permanent") as RestartPolicy) : "permanent",
      depends: values.depends === undefined ? [] : splitWords(values.depends),
      timeout: values.timeout,
      startTimeout: values["start-timeout"] ?? values.timeout,
      stopTimeout: values["stop-timeout"] ?? (values.run === undefined ? values.timeout : 10),
      env: { ...(values.path !== undefined && { PATH: values.path }), ...values.env },
      cwd: values.cwd,
      backOff: attempt("backoff", () => backOffOf(values.backoff ?? {})) ?? backOffDefaults,
      ready: probe("ready"),
      health: probe("health"),
      healthInterval: values["health-interval"],
      instances: attempt("instances", () => instancesOf(values.instances)),
      scale: scale === undefined ? undefined : attempt("scale", () => scaleOf(scale)),
      scaleInterval: values["scale-interval"],
      digest: JSON.stringify(values),
    };
    if (spec.health?.kind === "notify" || (spec.ready?.kind === "notify" && spec.form.kind !== "run")) {
      this.refuse("Expected notify in no other place than ready, beside run", block.at);
    }
    if (values.name === undefined) this.refuse("Expected a service to have a name", block.at);
    return this.problems.length > before ? undefined : spec;
  }
}

type ServiceValues = OptionValues<typeof serviceKeys>;

function formOf(values: ServiceValues, isPolicy: boolean): Form {
  const { run, control, start, stop, status, restart, daemon, pattern } = values;
  const words = (text: string) => (values.shell ? ["/bin/sh", "-c", text] : splitWords(text));
  const optional = (text: string | undefined) => (text === undefined ? undefined : words(text));
  if (run !== undefined) return { kind: "run", words: words(run) };
  if (daemon !== undefined) return { kind: "daemon", start: words(start ?? ""), pidFile: daemon };
  const custom = isPolicy || restart === "stop+start" ? undefined : optional(restart);
  const command = (word: string) => (control === undefined ? undefined : [...splitWords(control), word]);
  return {
    kind: "commands",
    start: command("start") ?? words(start ?? ""),
    stop: optional(stop) ?? command("stop"),
    status: optional(status) ?? command("status"),
    restart: custom ?? (restart === "stop+start" ? undefined : command("restart")),
    pattern:
      pattern !== undefined
        ? parsePattern(pattern, "pattern")
        : // With control nothing is looked for.
          start === undefined
          ? /(?!)/
          : literally(splitWords(start).join(" ")),
  };
}

function backOffOf(given: Readonly<Record<string, string>>): BackOffOptions {
  const numbers = Object.entries(given).map(([name, text]) => {
    if (!(name in backOffDefaults) || !/^\d+(\.\d+)?$/.test(text)) {
      const names = Object.keys(backOffDefaults).join(", ");
      throw new ConfigError(`Expected backoff to have numbers for ${names}, got ${name}=${text}`);
    }
    return [name, Number(text)] as const;
  });
  return { ...backOffDefaults, ...Object.fromEntries(numbers) };
}

function instancesOf(text: string | undefined): ServiceSpec["instances"] {
  if (text === undefined) return undefined;
  const [, least, most = least] = /^(\d{1,4})(?:\.\.(\d{1,4}))?$/.exec(text) ?? [];
  const [from, to] = [Number(least), Number(most)];
  if (least === undefined || to < Math.max(1, from)) {
    throw new ConfigError(`Expected instances to be N or N..M, got "${text}"`);
  }
  return { least: from, most: to };
}

function scaleOf(text: string): QueueCondition {
  const condition = parseQueueCondition(text, "scale");
  if (condition.isMore) return condition;
  throw new ConfigError(`Expected scale to be for more than a limit (>), got "${text}"`);
}

function dependsOnItself(name: string, children: readonly Spec[], within: readonly string[] = []): boolean {
  const { depends = [] } = children.find((child) => child.name === (within.at(-1) ?? name)) ?? {};
  return depends.some(
    (other) =>
      other === name || (!within.includes(other) && dependsOnItself(name, children, [...within, other])),
  );
}
