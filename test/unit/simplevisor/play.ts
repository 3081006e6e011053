// A tree without processes and with a clock of its own: what happens to it goes in, what it does comes out.
import {
  backOffDefaults,
  Service,
  Supervisor,
  type Child,
  type ServicePolicy,
  type SupervisorPolicy,
} from "@spoolwire/simplevisor";

/** A child to be; the tree of a scenario is made of these. */
export type Plan = (parent: string, stage: Stage) => Child;

/** What a scenario's children share. */
interface Stage {
  nowMs: number;
  readonly done: string[];
  /** Orders that are not answered yet. */
  readonly orders: (() => void)[];
}

type ServiceOptions = Partial<Omit<ServicePolicy, "name" | "path">> & {
  /** Answers nothing by itself: the scenario says what becomes of it. */
  readonly isSlow?: boolean;
};

export function service(name: string, options: ServiceOptions = {}): Plan {
  return (parent, stage) => {
    const { isSlow = false, ...policy } = options;
    const path = `${parent}/${name}`;
    const whole: ServicePolicy = {
      ...{ name, path, depends: [], isExpected: true, restart: "permanent" },
      ...{ stopTimeout: 10, startTimeout: 60, backOff: backOffDefaults },
      ...policy,
    };
    return new Service(whole, around(stage), (service) => {
      const order = (word: string, answer: () => void) => () => {
        stage.done.push(`${word} ${name}`);
        if (!isSlow) stage.orders.push(answer);
      };
      const gone = () => service.ended({ isOk: true, words: "has been told to" });
      return {
        start: order("start", () => {
          service.began();
          service.ready();
        }),
        stop: order("stop", gone),
        kill: order("kill", gone),
      };
    });
  };
}

export function supervisor(
  name: string,
  strategy: SupervisorPolicy["strategy"],
  plans: readonly Plan[],
  options: Partial<SupervisorPolicy> = {},
): Plan {
  return (parent, stage) => {
    const path = `${parent}/${name}`;
    const policy: SupervisorPolicy = {
      ...{ name, path, depends: [], isExpected: true, strategy },
      ...{ window: 12, adjustments: 3, intensity: Infinity, period: 60 },
      ...options,
    };
    return new Supervisor(
      policy,
      plans.map((plan) => plan(path, stage)),
      around(stage),
    );
  };
}

const around = (stage: Stage) => ({
  clock: () => stage.nowMs,
  random: () => 0,
  report: () => undefined,
});

/** Play a scenario: each line is `EVENT > WHAT IS DONE`. @returns the same lines with what was done indeed */
export function play(plan: Plan, lines: readonly string[]): string[] {
  const stage: Stage = { nowMs: 0, done: [], orders: [] };
  const root = plan("", stage) as Supervisor;
  return lines.map((line) => {
    const [event = ""] = line.split(" > ");
    stage.done.length = 0;
    happen(root, event, stage);
    root.step();
    while (stage.orders.length > 0) {
      for (const answer of stage.orders.splice(0)) answer();
      root.step();
    }
    const wanted = line.split(" | ")[1]?.split(" ") ?? [];
    const phases = wanted.map((pair) => {
      const name = pair.split("=")[0] ?? "";
      return `${name}=${find(root, name)[0].phase}`;
    });
    const told = `${event} > ${stage.done.join(", ") || "-"}`;
    return phases.length > 0 ? `${told} | ${phases.join(" ")}` : told;
  });
}

function find(root: Supervisor, name: string): [child: Child, parent: Supervisor] {
  const search = (parent: Supervisor): [Child, Supervisor] | undefined => {
    for (const child of parent.children) {
      if (child.name === name) return [child, parent];
      const below = child instanceof Supervisor ? search(child) : undefined;
      if (below) return below;
    }
    return undefined;
  };
  const found = root.name === name ? ([root, root] as [Child, Supervisor]) : search(root);
  if (!found) throw new Error(`Expected ${name} to be in the tree`);
  return found;
}

function happen(root: Supervisor, event: string, stage: Stage): void {
  if (event.startsWith("+")) {
    stage.nowMs += Number(event.slice(1)) * 1000;
    return;
  }
  if (event === "start") return root.start();
  if (event === "stop") return root.stop();
  if (event === "cycle") return root.endCycle();
  const [name = "", word = ""] = event.split(" ");
  const [child, parent] = find(root, name);
  const leaf = child as Service;
  const effects: Record<string, () => void> = {
    dies: () => leaf.ended({ isOk: false, words: "killed" }),
    exits: () => leaf.ended({ isOk: true, words: "exit 0" }),
    ready: () => leaf.ready(),
    found: () => leaf.found(7),
    broken: () => leaf.broken("does not answer"),
    hold: () => parent.halt(child),
    run: () => child.hold(true),
    free: () => child.hold(undefined),
    restart: () => parent.restart(child),
  };
  const effect = effects[word];
  if (!effect) throw new Error(`Expected an event, got ${event}`);
  effect();
}
