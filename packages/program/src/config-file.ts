import { extname } from "node:path";
import { diskFiles } from "./config-files.js";
import { parseJson } from "./config-json.js";
import { parseConfigGeneral, type ConfigGeneralOptions, type ReadConfiguration } from "./config-general.js";

/**
 * Read a configuration file.
 * @param options for the Apache style
 * @param type how it is written (default by its extension: `.json`, `.yaml` or `.yml`, else the Apache style)
 * @throws ConfigError CONFIG_BAD_FILE with all that is wrong; the file system's own error if it cannot be read
 */
export async function readConfiguration(
  file: string,
  options: ConfigGeneralOptions = {},
  type: ConfigurationType = typeOf(file),
): Promise<ReadConfiguration> {
  const text = (options.files ?? diskFiles).read(file);
  switch (type) {
    case "json":
      return { tree: parseJson(text, file), warnings: [] };
    case "yaml": {
      // Loaded only for those who use it: it takes longer than all else at the start of a program.
      const { parseYaml } = await import("./config-yaml.js");
      return { tree: parseYaml(text, file), warnings: [] };
    }
    case "apache":
      return parseConfigGeneral(text, file, options);
  }
}

export const configurationTypes = ["apache", "json", "yaml"] as const;
export type ConfigurationType = (typeof configurationTypes)[number];

function typeOf(file: string): ConfigurationType {
  const extension = extname(file);
  if (extension === ".json") return "json";
  return extension === ".yaml" || extension === ".yml" ? "yaml" : "apache";
}
