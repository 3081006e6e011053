/** The lines of a stream of bytes, each with its end (the last may have none), as many at a time as came. */
export async function* readLines(input: AsyncIterable<unknown>): AsyncIterable<Buffer[]> {
  // Pieces of a line that is not complete: joined once, however many chunks it spans.
  let pieces: Buffer[] = [];
  for await (const chunk of input as AsyncIterable<Buffer>) {
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const rest = chunk.subarray(start, end + 1);
      lines.push(pieces.length > 0 ? Buffer.concat([...pieces, rest]) : rest);
      pieces = [];
      start = end + 1;
    }
    if (start < chunk.length) pieces.push(chunk.subarray(start));
    if (lines.length > 0) yield lines;
  }
  if (pieces.length > 0) yield [Buffer.concat(pieces)];
}

/** All the bytes of a stream, as one. */
export async function* readWhole(input: AsyncIterable<unknown>): AsyncIterable<Buffer[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of input as AsyncIterable<Buffer>) chunks.push(chunk);
  yield [Buffer.concat(chunks)];
}
