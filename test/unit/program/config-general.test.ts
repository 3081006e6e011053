import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ConfigError, readConfiguration, toObject } from "@spoolwire/program";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import {
  agreed,
  differences,
  filesOf,
  optionsOf,
  type ConfigCase,
  type ConfigResult,
} from "../../helpers/config-cases.js";
import { root } from "../../helpers/embedded.js";

const perl = JSON.parse(readFileSync(join(root, "test/fixtures/config-general.json"), "utf8")) as Record<
  string,
  ConfigResult
>;

let top: string;
let count = 0;
beforeAll(() => {
  top = temporaryDirectory("config");
});
afterAll(() => removeDirectory(top));

/** Write the files of a case and read them. */
async function read({ files, options = [] }: ConfigCase): Promise<ConfigResult> {
  const directory = join(top, `case-${count++}`);
  for (const [name, text] of Object.entries(filesOf(files))) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  try {
    const { tree } = await readConfiguration(join(directory, "main.conf"), optionsOf(options));
    return { tree: toObject(tree) };
  } catch (error) {
    if (!(error instanceof ConfigError) || error.code !== "CONFIG_BAD_FILE") throw error;
    return { error: true };
  }
}

describe("what Perl reads is read alike", () => {
  test.each(Object.entries(agreed))("%s", async (name, each) => {
    expect(perl).toHaveProperty([name]);
    expect(await read(each)).toEqual(perl[name]);
  });
});

describe("unlike Perl", () => {
  test.each(Object.entries(differences))("%s", async (name, each) => {
    expect(await read(each)).toEqual(each.here);
    expect(perl).toHaveProperty([name]);
    expect(perl[name]).not.toEqual(each.here);
  });
});
