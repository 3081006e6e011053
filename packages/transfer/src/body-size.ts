import { MessageError } from "@spoolwire/message";

interface Limit {
  /** Bytes. */
  readonly maxBodySize: number;
}

/** @throws MessageError MESSAGE_NOT_SENDABLE if a body is longer than --max-body-size */
export function checkBodySize(body: string | Buffer, { maxBodySize }: Limit): void {
  const size = Buffer.byteLength(body);
  if (size > maxBodySize) throw new MessageError("MESSAGE_NOT_SENDABLE", tooLarge(size, maxBodySize));
}

export const tooLarge = (size: number, most: number): string =>
  `Expected a body of at most ${most} bytes (--max-body-size), got ${size}`;
