import { ConfigError, ExitStatus, write } from "@spoolwire/program";
import { checkTree, drawTree } from "./draw.js";
import type { Spec } from "./entry.js";
import type { CommandName, Simplevisor } from "./options.js";
import { Place } from "./place.js";
import { openTree } from "./supervise.js";
import { isMoving, type Tree } from "./tree.js";

/** LSB: not running. */
export const NOT_RUNNING = 3;

/** Do a command while nobody supervises: for services that have commands of their own. @returns the exit status */
export async function atRest(
  invocation: Simplevisor,
  spec: Spec,
  path: string,
  command: CommandName,
  target: string | undefined,
): Promise<number> {
  const { streams, options } = invocation;
  const print = (text: string) => write(streams.stdout, text);
  const isQuestion = command === "status" || command === "check" || command === "tree";
  if (target === undefined && command !== "check" && command !== "tree") {
    if (options.json && command === "status") await print(`${JSON.stringify({ running: false })}\n`);
    else await print("simplevisor does not seem to be running\n");
    return command === "stop" || command === "stop_supervisor" ? ExitStatus.ok : NOT_RUNNING;
  }
  const place = Place.take(path);
  const tree = openTree(invocation, spec, place);
  try {
    await tree.look();
    const child = target === undefined ? tree.root : tree.find(target);
    if (!child) throw new ConfigError(`Expected the path of a child, got "${target}"`);
    if (options.json && isQuestion) await print(`${JSON.stringify(child.describe())}\n`);
    else if (command === "tree") await print(drawTree(child.describe()));
    else if (command === "check") await print(checkTree(child.describe()).text);
    if (command === "tree") return ExitStatus.ok;
    if (command === "check") return checkTree(child.describe()).isOk ? ExitStatus.ok : ExitStatus.nothing;
    const restarted = command === "status" ? undefined : await act(tree, child.path, command);
    if (!options.json) await print(`${child.path} is ${child.phase}\n`);
    else if (!isQuestion) await print(`${JSON.stringify(child.describe())}\n`);
    const isUp = child.phase === "running";
    if (command === "status") return isUp ? ExitStatus.ok : NOT_RUNNING;
    if (restarted) invocation.log.error(`its restart command ended with ${restarted}`);
    return isUp === (command !== "stop") && !restarted ? ExitStatus.ok : ExitStatus.nothing;
  } finally {
    tree.close();
    place.release();
  }
}

/** @returns the exit status of its own restart command, if that was run */
async function act(tree: Tree, path: string, command: CommandName): Promise<number | undefined> {
  const unit = tree.unit(path);
  if (!unit || unit.spec.form.kind === "run") {
    throw new ConfigError(`Expected simplevisor to run for ${command} ${path}: it must own what it starts`);
  }
  const { service } = unit;
  const settle = () => tree.until(() => !isMoving(service.phase), tree.patience(service));
  if (command === "restart" || command === "restart_child") {
    const status = await unit.restartByCommand();
    if (status !== undefined) return (await unit.poll(), status);
  }
  if (command !== "start") {
    service.stop();
    await settle();
  }
  if (command !== "stop") {
    service.start();
    await settle();
  }
  return undefined;
}
