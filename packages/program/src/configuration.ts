import { bindTree } from "./bind.js";
import { configurationTypes, readConfiguration, type ConfigurationType } from "./config-file.js";
import type { ConfigGeneralOptions } from "./config-general.js";
import type { ConfigBlock } from "./config-tree.js";
import { ConfigError, type Problem } from "./errors.js";
import { resolveValues, type GivenOption, type OptionEntry } from "./options.js";
import { parseProperties } from "./properties.js";
import { perlVariables } from "./variables.js";

/** That a program has configuration files. */
export interface ConfigurationSpec {
  /** The block that may hold all of it, as `<stompclt>`. */
  readonly root: string;
  /** The part of the file that holds options; what is left out is the program's to read, in `Invocation.tree`. */
  readonly options?: (tree: ConfigBlock) => ConfigBlock;
  /** How variables are replaced, unless --config-general says otherwise (default: there are none). */
  readonly interpolate?: NonNullable<ConfigGeneralOptions["interpolate"]>;
}

/** The options of programs that have configuration files. */
export const configurationOptions = [
  {
    name: "config",
    type: "string",
    value: "FILE",
    aliases: ["conf", "cfg"],
    notInFiles: true,
    help: "read options from a file, in the Apache style, or JSON or YAML by its name; the command line wins",
  },
  {
    name: "config-type",
    type: "string",
    choices: configurationTypes,
    aliases: ["conftype"],
    notInFiles: true,
    help: "how that file is written, whatever its name",
  },
  {
    name: "config-general",
    type: "properties",
    notInFiles: true,
    help: "how to read the Apache style: InterPolateVars=1, UseApacheInclude=1, …",
  },
  {
    name: "check",
    type: "boolean",
    notInFiles: true,
    help: "tell all that is wrong with the options, and end",
  },
  { name: "print-config", type: "boolean", notInFiles: true, help: "show the options in effect, and end" },
] as const satisfies readonly OptionEntry[];

/** What the file of `--config` gives. */
export interface FileOptions {
  readonly given: readonly GivenOption[];
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** All that it holds; undefined: there is none. */
  readonly tree: ConfigBlock | undefined;
}

/**
 * Read the file that the command line names with `--config`, if it does.
 * @throws ConfigError CONFIG_BAD_FILE if it is no configuration; the file system's own error if it cannot be read
 */
export async function readFileOptions(
  { root, options = (tree) => tree, interpolate }: ConfigurationSpec,
  entries: readonly OptionEntry[],
  given: readonly GivenOption[],
): Promise<FileOptions> {
  const valueOf = (name: string) => String(given.findLast((option) => option.name === name)?.value ?? "");
  const file = valueOf("config");
  if (file === "") return { given: [], problems: [], warnings: [], tree: undefined };
  const parsing = { ...(interpolate && { interpolate }), ...parserOptions(valueOf("config-general")) };
  const type = valueOf("config-type") as ConfigurationType | "";
  const { tree, warnings } = await readConfiguration(file, parsing, type || undefined);
  const { given: bound, problems } = bindTree(options(tree), entries, root);
  return { given: bound, problems, warnings, tree };
}

/**
 * The same as far as it is right, for what needs little of the file: what is wrong with it, or that it cannot be read, is
 * among the warnings.
 * @throws ConfigError if the command line is wrong
 */
export async function salvageFileOptions(
  spec: ConfigurationSpec,
  entries: readonly OptionEntry[],
  given: readonly GivenOption[],
): Promise<FileOptions> {
  try {
    const file = await readFileOptions(spec, entries, given);
    const { problems } = resolveValues(entries, [], file.given);
    return {
      ...file,
      given: file.given.filter(({ at }) => !problems.some((problem) => problem.at === at)),
      problems: [],
      warnings: [...file.warnings, ...file.problems, ...problems],
    };
  } catch (error) {
    if (error instanceof ConfigError && error.code !== "CONFIG_BAD_FILE") throw error;
    const warnings = error instanceof ConfigError ? error.problems : [{ message: (error as Error).message }];
    return { given: [], problems: [], warnings, tree: undefined };
  }
}

/** What we always do, as the original programs set it. */
const always = ["IncludeRelative", "IncludeGlob", "IncludeDirectories"];

/** The options of Config::General that mean something here, with or without a dash before them. */
function parserOptions(text: string): ConfigGeneralOptions {
  const options: { -readonly [Name in keyof ConfigGeneralOptions]: ConfigGeneralOptions[Name] } = {};
  for (const [key, value] of Object.entries(parseProperties(text, "--config-general"))) {
    const name = key.replace(/^-/, "");
    if (!/^(0|1|on|off|yes|no|true|false)$/i.test(value)) {
      throw new ConfigError(`Expected ${key} in --config-general to be 0 or 1, got "${value}"`);
    }
    const isOn = /^(1|on|yes|true)$/i.test(value);
    if (name === "CComments") options.cComments = isOn;
    else if (name === "LowerCaseNames") options.lowerCaseNames = isOn;
    else if (name === "UseApacheInclude") options.apacheInclude = isOn;
    else if (name === "IncludeAgain") options.includeAgain = isOn;
    else if (name === "InterPolateVars") {
      if (isOn) options.interpolate = perlVariables;
      else delete options.interpolate;
    } else if (!always.includes(name) || !isOn) {
      throw new ConfigError(
        `Expected --config-general to have CComments, LowerCaseNames, UseApacheInclude, IncludeAgain or InterPolateVars, got ${key}=${value}`,
      );
    }
  }
  return options;
}
