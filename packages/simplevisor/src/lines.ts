import { StringDecoder } from "node:string_decoder";

/** A line that is longer comes in pieces, so that a flood without line ends does not fill the memory. */
const LONGEST = 8192;

/** Cuts what comes in chunks into lines. */
export class LineCutter {
  readonly #take: (line: string) => void;
  readonly #longest: number;
  readonly #decoder = new StringDecoder("utf8");
  #rest = "";

  constructor(take: (line: string) => void, longest = LONGEST) {
    this.#take = take;
    this.#longest = longest;
  }

  take(chunk: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(chunk)).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#give(line);
    while (this.#rest.length > this.#longest) {
      this.#take(this.#rest.slice(0, this.#longest));
      this.#rest = this.#rest.slice(this.#longest);
    }
  }

  /** The line that has no end yet is one too. */
  end(): void {
    const rest = this.#rest + this.#decoder.end();
    if (rest !== "") this.#give(rest);
    this.#rest = "";
  }

  #give(line: string): void {
    for (let from = 0; from === 0 || from < line.length; from += this.#longest)
      this.#take(line.slice(from, from + this.#longest));
  }
}
