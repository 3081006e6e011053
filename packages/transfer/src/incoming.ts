import { brokerSide, type Surroundings } from "./broker-side.js";
import { DirSource, parseDirOptions } from "./dir-source.js";
import { MergedSource } from "./merged-source.js";
import type { AgentValues } from "./options.js";
import { checkQueue, openQueue, queueOptions } from "./queue-side.js";
import { QueueSource } from "./queue-source.js";
import type { Source } from "./source.js";

/** The source of an agent's messages. @throws ConfigError; what the file system throws */
export function openIncoming(values: AgentValues, surroundings: Surroundings): Source {
  const { "incoming-queue": queue, "dry-run": isDry = false } = values;
  if (queue?.type === "dir") {
    const { path, settle, done } = parseDirOptions(queue, "--incoming-queue");
    const goes = isDry ? {} : { done, loop: values.loop, remove: values.remove };
    return new DirSource({ path, settle, ...goes }, surroundings.log);
  }
  if (queue) {
    const options = queueOptions(queue, "--incoming-queue");
    // An agent that loops may be started before the application's first message; one that does not has
    // nothing to do without a queue, and its path is most likely misspelt.
    const loop = values.loop === true && !isDry;
    const opened = openQueue({ ...options, create: loop }, "--incoming-queue");
    return new QueueSource(opened, surroundings.log, {
      loop,
      remove: values.remove === true && !isDry,
      // A run that ends by itself leaves what it cannot send: its status tells whoever has started it.
      setAside: values.remove === true && loop,
      purgeInterval: isDry ? 0 : purgeInterval(options.maxlock),
    });
  }
  const { reliable, count, prefetch, subscribe = [] } = values;
  const sources = (values["incoming-broker-uri"] ?? []).map((uri) => {
    const side = brokerSide("incoming", uri, values, surroundings);
    return side.protocol.openSource({
      ...side.options,
      // A broker that is not to wait for acknowledgements forgets what it has sent.
      reliable: side.options.reliable || isDry,
      subscriptions: subscribe,
      unsubscriptions: isDry ? undefined : values.unsubscribe,
      keepHeaders: values["keep-headers"],
      prefetch: prefetch ?? (reliable && count ? Math.min(count, 100) : undefined),
    });
  });
  const [first] = sources;
  return first && sources.length === 1 ? first : new MergedSource(sources);
}

/** What an agent that was killed had locked is waited for no longer than it has to be. */
const purgeInterval = (maxlock = 300) => (maxlock === 0 ? 300 : Math.min(maxlock, 300));

/** Check what can be checked without making or connecting anything. @throws ConfigError */
export function checkIncoming(values: AgentValues, surroundings: Surroundings): void {
  const queue = values["incoming-queue"];
  if (!queue) openIncoming(values, surroundings);
  else if (queue.type === "dir") parseDirOptions(queue, "--incoming-queue");
  else checkQueue(queue, "--incoming-queue");
}
