// The unit file that we ship, as systemd reads it.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { program, root } from "../../helpers/embedded.js";
import { requires } from "../../helpers/requirements.js";

test.runIf(requires("logger-and-systemd"))(
  "systemd has nothing to say against it",
  { timeout: 30_000 },
  () => {
    const directory = temporaryDirectory("systemd");
    const unit = readFileSync(join(root, "share/systemd/stompclt@.service"), "utf8");
    writeFileSync(
      join(directory, "stompclt@.service"),
      // Where the program is now, since it is not installed.
      unit.replace("/usr/bin/stompclt", program("stompclt")),
    );
    const verify = spawnSync("systemd-analyze", ["verify", join(directory, "stompclt@app.service")], {
      encoding: "utf8",
    });
    expect([verify.status, verify.stdout, verify.stderr]).toEqual([0, "", ""]);
    removeDirectory(directory);
  },
);
