// The original in Python and ours at work on one simple queue at the same time.
import { join } from "node:path";
import { SimpleQueue } from "@spoolwire/dirq";
import { afterEach, beforeEach, describe, test } from "vitest";
import { inMemory, removeDirectory, temporaryDirectory } from "../helpers/broker.js";
import { requires } from "../helpers/requirements.js";
import { ahead } from "../helpers/rivals.js";
import { SECONDS, soak } from "../helpers/soak.js";

let top: string;
beforeEach(() => (top = temporaryDirectory("soak", inMemory)));
afterEach(() => removeDirectory(top));

describe.runIf(requires("python3-dirq"))("a simple queue", () => {
  test(
    `with writers, readers and purges of both for ${SECONDS} s loses nothing, doubles nothing, damages nothing`,
    { timeout: (SECONDS + 120) * 1000 },
    () => soak(new SimpleQueue({ path: join(top, "queue") }, { clock: ahead(3600) }), "simple"),
  );
});
