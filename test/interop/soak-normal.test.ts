// The original in Python and ours at work on one normal queue at the same time.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { NormalQueue } from "@spoolwire/dirq";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inMemory, removeDirectory, temporaryDirectory } from "../helpers/broker.js";
import { remainsBelow } from "../helpers/file-calls.js";
import { requires } from "../helpers/requirements.js";
import { ahead } from "../helpers/rivals.js";
import { call, SECONDS, soak } from "../helpers/soak.js";

const schema = { body: "binary", header: "table" };

let path: string;
beforeEach(() => (path = join(temporaryDirectory("soak", inMemory), "queue")));
afterEach(() => removeDirectory(join(path, "..")));

describe.runIf(requires("python3-dirq"))("a normal queue", () => {
  test(
    `with writers, readers and purges of both for ${SECONDS} s loses nothing, doubles nothing, damages nothing`,
    { timeout: (SECONDS + 120) * 1000 },
    async () => {
      // Python's purge of temporary and obsolete is not part of it: see dirq_open.py.
      await soak(new NormalQueue({ path, schema }, { clock: ahead(3600) }), "normal");
      // Now that nobody adds or removes any more, it may run as a whole.
      call("dirq-call-normal.py", [path, JSON.stringify(schema), "purge"]);
      expect(existsSync(join(path, "temporary"))).toBe(true);
      expect(remainsBelow(path)).toEqual([]);
    },
  );
});
