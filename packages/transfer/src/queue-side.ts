import { openMessageQueue, type MessageQueue, type MessageQueueOptions } from "@spoolwire/message";
import { ConfigError, type Properties } from "@spoolwire/program";

/** A queue's options as they are written on a command line: all text. @throws ConfigError */
export function queueOptions(properties: Properties, what: string): MessageQueueOptions {
  const { path, ...others } = properties;
  const isOnDisk = others.type !== "NULL" && others.type !== "ZERO";
  if (path === undefined && isOnDisk) throw new ConfigError(`Expected ${what} to have path=DIRECTORY`);
  const options: Record<string, string | number | boolean> = {};
  for (const [key, value] of Object.entries(others)) options[key] = optionValue(key, value);
  // Whatever is unknown, or of the wrong type, the queue itself refuses by name.
  return { ...options, path } as MessageQueueOptions;
}

function optionValue(key: string, text: string): string | number | boolean {
  if (key === "create" || key === "nlink") return flags.get(text) ?? text;
  return /^\d+$/.test(text) ? Number.parseInt(text, key === "umask" ? 8 : 10) : text;
}

const flags = new Map([
  ["1", true],
  ["true", true],
  ["0", false],
  ["false", false],
]);

/** @throws ConfigError naming the option that is wrong; what the file system throws */
export function openQueue(options: MessageQueueOptions, what: string): MessageQueue {
  try {
    return openMessageQueue(options);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new ConfigError(`${what}: ${error.message}`, { cause: error });
  }
}

/** Check what can be checked without making it. @throws ConfigError */
export function checkQueue(properties: Properties, what: string): void {
  try {
    openQueue({ ...queueOptions(properties, what), create: false }, what);
  } catch (error) {
    // The agent may make it; its options are right.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
