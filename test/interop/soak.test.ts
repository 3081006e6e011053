// The original in Python and ours at work on one queue at the same time; both types of queue in the same minute.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { NormalQueue, SimpleQueue } from "@spoolwire/dirq";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inMemory, removeDirectory, temporaryDirectory } from "../helpers/broker.js";
import { remainsBelow } from "../helpers/file-calls.js";
import { requires } from "../helpers/requirements.js";
import { ahead } from "../helpers/rivals.js";
import { call, SECONDS, soak } from "../helpers/soak.js";

const schema = { body: "binary", header: "table" };

let top: string;
beforeAll(() => void (top = temporaryDirectory("soak", inMemory)));
afterAll(() => removeDirectory(top));

describe
  .runIf(requires("python3-dirq"))
  .concurrent(
    `writers, readers and purges of both for ${SECONDS} s lose nothing, double nothing, damage nothing`,
    () => {
      const options = { timeout: (SECONDS + 180) * 1000 };

      test("on a simple queue", options, async () => {
        await soak(new SimpleQueue({ path: join(top, "simple") }, { clock: ahead(3600) }), "simple");
      });

      test("on a normal queue", options, async () => {
        const path = join(top, "normal");
        // Python's purge of temporary and obsolete is not part of it: see dirq_open.py.
        await soak(new NormalQueue({ path, schema }, { clock: ahead(3600) }), "normal");
        // Now that nobody adds or removes any more, it may run as a whole.
        call("dirq-call-normal.py", [path, JSON.stringify(schema), "purge"]);
        expect(existsSync(join(path, "temporary"))).toBe(true);
        expect(remainsBelow(path)).toEqual([]);
      });
    },
  );
