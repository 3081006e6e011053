import { isAscii, isUtf8 } from "node:buffer";

/** The text of bytes in UTF-8; undefined: they are not UTF-8. ASCII, as most is, needs no decoding. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (isAscii(buffer)) return buffer.toString("latin1");
  return isUtf8(buffer) ? buffer.toString("utf8") : undefined;
}
