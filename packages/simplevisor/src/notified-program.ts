// Started by systemd-socket-activate: each datagram at descriptor 3 becomes a line of JSON.
import { readSync, writeSync } from "node:fs";

const buffer = Buffer.alloc(1 << 16);
for (;;) {
  const size = readSync(3, buffer);
  writeSync(1, `${JSON.stringify(buffer.toString("utf8", 0, size))}\n`);
}
