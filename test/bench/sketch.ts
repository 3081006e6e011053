// The least that can be called a STOMP codec: no escapes, no limits, no versions, no frame cut in two.
import type { Header } from "@spoolwire/message";

export function encode(command: string, headers: Header, body: string): Buffer {
  const bytes = Buffer.from(body);
  let head = `${command}\n`;
  for (const name in headers) head += `${name}:${headers[name]}\n`;
  return Buffer.concat([Buffer.from(`${head}content-length:${bytes.length}\n\n`), bytes, Buffer.of(0)]);
}

/** Call back for each frame in these bytes, all of which are there. */
export function decode(
  bytes: Buffer,
  onFrame: (command: string, headers: Header, body: Buffer) => void,
): void {
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf("\n\n", start);
    const [command = "", ...lines] = bytes.toString("utf8", start, end).split("\n");
    const headers: Header = {};
    for (const line of lines) {
      const colon = line.indexOf(":");
      headers[line.slice(0, colon)] = line.slice(colon + 1);
    }
    const bodyEnd = end + 2 + Number(headers["content-length"]);
    onFrame(command, headers, bytes.subarray(end + 2, bodyEnd));
    start = bodyEnd + 1;
  }
}
