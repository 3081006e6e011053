import { readFileSync, realpathSync, statSync } from "node:fs";
import nodeModule from "node:module";
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
 * Load a callback from a JavaScript module as it is now: its exports, or the properties of its default export. What the
 * module imports is loaded once only.
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
    const isTypeScript = /^\.[cm]?ts$/.test(extname(path));
    throw new ConfigError(
      `Expected ${what} to be a JavaScript module (.mjs, .js or .cjs)` +
        (isTypeScript ? ", got TypeScript, which has to be compiled first" : ""),
    );
  }
  let exported: Record<string, unknown>;
  try {
    exported = await importNow(path);
  } catch (error) {
    refuseOthers(what, source);
    throw new ConfigError(`${what}: ${String(error)}`, { cause: error });
  }
  return pick({ ...(exported.default as object | undefined), ...exported }, what);
}

/** What tells one state of a module's file from another. */
export function versionOf(path: string): string | undefined {
  try {
    const { mtimeMs, size } = statSync(path);
    return `${mtimeMs}-${size}`;
  } catch {
    // Whoever reads it tells why.
    return undefined;
  }
}

async function importNow(path: string): Promise<Record<string, unknown>> {
  const url = `${pathToFileURL(resolve(path)).href}?${versionOf(path)}`;
  // CommonJS is kept by its path, whatever comes after it.
  delete require.cache[realpathSync(path)];
  try {
    return (await import(url)) as Record<string, unknown>;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== "ERR_MODULE_NOT_FOUND" || !message.includes("'@spoolwire/")) throw error;
    offerPackages();
    // What has failed is kept as such.
    return (await import(`${url}-again`)) as Record<string, unknown>;
  }
}

const require = nodeModule.createRequire(import.meta.url);

/** Resolves as Node does, and what it does not find of our packages as if they were imported here. */
const resolver = `
let home;
export const initialize = (url) => void (home = url);
export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    if (!specifier.startsWith("@spoolwire/")) throw error;
    return await next(specifier, { ...context, parentURL: home }).catch(() => { throw error; });
  }
}`;

let hasOffered = false;

/** Let modules import our packages wherever they are: a callback is seldom within a project that has them installed. */
function offerPackages(): void {
  if (hasOffered || !("register" in nodeModule)) return;
  hasOffered = true;
  nodeModule.register(`data:text/javascript,${encodeURIComponent(resolver)}`, { data: import.meta.url });
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
