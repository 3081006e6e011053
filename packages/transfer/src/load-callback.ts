import { readFileSync } from "node:fs";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ConfigError } from "@spoolwire/program";
import type { Callback } from "./callback.js";

const names = ["start", "check", "idle", "stop"] as const;

/** Code that is more than the body of `check`. */
const definition = new RegExp(
  `\\b(?:function\\s+(?:${names.join("|")})\\b|(?:const|let|var)\\s+(?:${names.join("|")})\\s*=)`,
);

/**
 * Load a callback from a JavaScript module: its exports, or the properties of its default export.
 * @throws ConfigError
 */
export async function loadCallback(path: string): Promise<Callback> {
  const what = `--callback-path ${path}`;
  let source: string;
  try {
    source = readFileSync(path, "utf8");
  } catch (error) {
    throw new ConfigError(`${what}: ${(error as Error).message}`, { cause: error });
  }
  if (!/^\.[cm]?js$/.test(extname(path))) {
    refuseOthers(what, source, extname(path));
    throw new ConfigError(`Expected ${what} to be a JavaScript module (.mjs, .js or .cjs)`);
  }
  let exported: Record<string, unknown>;
  try {
    exported = (await import(pathToFileURL(resolve(path)).href)) as Record<string, unknown>;
  } catch (error) {
    refuseOthers(what, source);
    throw new ConfigError(`${what}: ${String(error)}`, { cause: error });
  }
  return pick({ ...(exported.default as object | undefined), ...exported }, what);
}

/**
 * Compile a callback from code: the body of `check`, with `hdr` (the header, which may be changed), `bdy` (the
 * body) and `msg` (the message, to give it another body); or, if it defines one of them, the functions by name.
 * @throws ConfigError
 */
export async function compileCallback(code: string): Promise<Callback> {
  const what = "--callback-code";
  try {
    if (!definition.test(code)) {
      const check = new AsyncFunction("msg", `const { header: hdr, body: bdy } = msg;\n${code}\n`);
      return { check: (message) => check(message) };
    }
    const collect = names.map((name) => `${name}: typeof ${name} === "undefined" ? undefined : ${name}`);
    const functions = await new AsyncFunction(`${code}\nreturn { ${collect.join(", ")} };`)();
    return pick(functions as Record<string, unknown>, what);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    refuseOthers(what, code);
    throw new ConfigError(`${what}: ${String(error)}`, { cause: error });
  }
}

const AsyncFunction = (async () => undefined).constructor as new (
  ...args: string[]
) => (...args: unknown[]) => Promise<unknown>;

function pick(found: Record<string, unknown>, what: string): Callback {
  const functions = names.flatMap((name) =>
    found[name] === undefined ? [] : [[name, found[name]] as const],
  );
  for (const [name, value] of functions) {
    if (typeof value !== "function") {
      throw new ConfigError(`Expected ${name} in ${what} to be a function, got ${typeof value}`);
    }
  }
  if (functions.length === 0) {
    throw new ConfigError(`Expected ${what} to have a function ${names.join(", ")}, got none of them`);
  }
  return Object.fromEntries(functions);
}

/** The older agents had callbacks in their own languages. */
function refuseOthers(what: string, source: string, extension = ""): void {
  const language =
    /^\.(pl|pm)$/.test(extension) ||
    /[$@%]\w+\s*->|\$\w+\s*=|^\s*(use strict|package\s+[\w:]+)\s*;|\bsub\b/m.test(source)
      ? "Perl"
      : extension === ".py" ||
          /^\s*(def\s+\w+\s*\(.*\)|class\s+\w+.*|(if|for|elif|else|try)\b.*):\s*$|^\s*(from\s+\S+\s+)?import\s+\w+\s*$/m.test(
            source,
          )
        ? "Python"
        : undefined;
  if (language === undefined) return;
  throw new ConfigError(
    `${what} is ${language}, expected JavaScript: ` +
      (what.startsWith("--callback-code")
        ? 'such as hdr.destination = "/queue/app"; delete hdr["message-id"]; if (bdy === "") return "empty"'
        : "a module that exports functions start(data), check(message), idle(), stop()"),
  );
}
