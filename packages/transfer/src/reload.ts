import { isDeepStrictEqual } from "node:util";
import { serviceOptions, type Invocation, type Service } from "@spoolwire/program";
import { versionOf } from "./load-callback.js";
import type { agentOptions } from "./options.js";

type Given = Pick<Invocation<typeof agentOptions>, "options" | "reread" | "log" | "signal">;

/** Work whose sides are opened, so that it is known to be possible, and not begun. @returns its exit status */
export type Work = (signal: AbortSignal) => Promise<number>;

/**
 * Do an agent's work; at SIGHUP do it with the options that its configuration has then. If these, or the module of the
 * callback, have changed and are right, the work ends in order, as if the agent were told to stop, and begins anew:
 * limits count from there. The process, its pid file and its log stay. If anything is wrong, all of it is logged, and
 * the work goes on as it was.
 * @throws what `prepare` throws at the start; what the work throws, unless it only ends for the sake of a reload
 */
export async function runWithReload(
  { options, reread, log, signal }: Given,
  service: Service,
  prepare: (options: Given["options"]) => Promise<Work>,
): Promise<number> {
  let latest = { options, module: moduleOf(options), work: await prepare(options) };
  let interrupt = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  service.reload = async () => {
    const next = await reread(async (given) => {
      const wanted = { ...given, ...ofProcess(options) };
      const module = moduleOf(wanted);
      if (isDeepStrictEqual(wanted, latest.options) && module === latest.module) return latest;
      return { options: wanted, module, work: await prepare(wanted) };
    });
    if (!next) return log.error("the configuration stays as it was");
    if (next === latest) return log.info("the configuration has not changed");
    latest = next;
    interrupt.abort();
    // Whoever has asked is told when what was on its way is settled.
    await running.catch(() => undefined);
  };
  let status = 0;
  for (;;) {
    const current = latest;
    interrupt = new AbortController();
    const work = current.work(AbortSignal.any([signal, interrupt.signal]));
    running = work;
    try {
      status = (await work) || status;
    } catch (error) {
      if (current === latest || signal.aborted) throw error;
      log.error(`before the reload: ${(error as Error).message}`);
    }
    if (current === latest || signal.aborted) return status;
    log.info("the configuration was read again");
  }
}

/** Which state of the callback's module there is, if it is one. */
function moduleOf({ "callback-path": path }: Given["options"]): string | undefined {
  return path === undefined ? undefined : versionOf(path);
}

/** The options that are the process's own: only a restart changes them. */
function ofProcess(options: Given["options"]): Partial<Given["options"]> {
  const names: readonly string[] = ["debug", ...serviceOptions.map(({ name }) => name)];
  return Object.fromEntries(Object.entries(options).filter(([name]) => names.includes(name)));
}
