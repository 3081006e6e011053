import { ConfigError } from "./errors.js";

/** Values by key, as `KEY=VALUE…` gives them. */
export type Properties = Readonly<Record<string, string>>;

/**
 * Read `key=value key=value`, separated by white space or commas. A separator that no `key=` follows is
 * part of the value; `%XX` stands for a byte (of UTF-8), for all else that would be misread.
 * @param what names the text in an error
 * @throws ConfigError
 */
export function parseProperties(text: string, what: string): Properties {
  const properties = Object.create(null) as Record<string, string>;
  const trimmed = text.trim();
  if (trimmed === "") return properties;
  // From the first of several separators only: from each of them it would take a time that grows with their square.
  for (const pair of trimmed.split(/(?<![\s,])[\s,]+(?=[^\s,=]+=)/)) {
    const equals = pair.indexOf("=");
    // A value may be a secret: an error shows the key alone.
    if (equals < 1) throw new ConfigError(`Expected ${what} to be made of KEY=VALUE, got one without KEY=`);
    const key = pair.slice(0, equals);
    if (key in properties) throw new ConfigError(`Expected ${what} to have each key once, got ${key} twice`);
    properties[key] = decode(pair.slice(equals + 1), `${key} in ${what}`);
  }
  return properties;
}

function decode(value: string, what: string): string {
  try {
    return decodeURIComponent(value.replace(/%(?![0-9a-fA-F]{2})/g, "%25"));
  } catch (error) {
    throw new ConfigError(`Expected ${what} to be UTF-8 once its %XX are undone`, { cause: error });
  }
}

/**
 * The text that `parseProperties` reads to these: `%XX` for what would be misread.
 * @param what names the properties in an error
 * @throws ConfigError if a key cannot be written so
 */
export function formatProperties(properties: Properties, what: string): string {
  return Object.entries(properties)
    .map(([key, value]) => {
      if (key === "" || /[\s,=]/.test(key)) {
        throw new ConfigError(`Expected each key of ${what} to be a word without = and comma, got "${key}"`);
      }
      // White space may be any of Unicode: the reader splits at all of it.
      return `${key}=${value.replace(/[\s,%\0-\x1f\x7f]/g, encodeURIComponent)}`;
    })
    .join(" ");
}
