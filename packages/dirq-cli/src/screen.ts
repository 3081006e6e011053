import type { Streams } from "@spoolwire/program";

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";

/** The whole terminal, drawn again and again; it is as it was once this is closed, or the process ends. */
export class Screen {
  readonly #streams: Streams;
  readonly #stdin: RawInput | undefined;
  readonly #quit: () => void;
  #lines: readonly string[] = [];

  /** `quit` is called when the user wants to leave, by `q` or Ctrl-C. */
  constructor(streams: Streams, quit: () => void) {
    this.#streams = streams;
    this.#quit = quit;
    const stdin = streams.stdin as RawInput;
    this.#stdin = stdin.isTTY && stdin.setRawMode ? stdin : undefined;
    this.#stdin?.setRawMode?.(true);
    this.#stdin?.on("data", this.#typed).resume();
    streams.stdout.on("resize", this.#redraw);
    process.on("exit", this.#leave);
    streams.stdout.write(ENTER);
  }

  /** Show these lines, as far as there is room. */
  draw(lines: readonly string[]): void {
    this.#lines = lines;
    this.#redraw();
  }

  close(): void {
    this.#streams.stdout.off("resize", this.#redraw);
    process.off("exit", this.#leave);
    this.#stdin?.off("data", this.#typed).pause();
    this.#leave();
  }

  readonly #typed = (keys: Buffer): void => {
    if (/[qQ\x03]/.test(keys.toString("latin1"))) this.#quit();
  };

  readonly #leave = (): void => {
    this.#stdin?.setRawMode?.(false);
    this.#streams.stdout.write(LEAVE);
  };

  /** Over what is there, each line to its end: to clear all first would flicker. */
  readonly #redraw = (): void => {
    const { rows = 24, columns = 80 } = this.#streams.stdout;
    const lines = this.#lines.slice(0, rows - 1).map((line) => `${cut(line, columns)}\x1b[0m\x1b[K`);
    this.#streams.stdout.write(`\x1b[H${lines.join("\r\n")}\x1b[J`);
  };
}

type RawInput = Streams["stdin"] & { setRawMode?(isRaw: boolean): void };

/** A line without what goes over the edge (the last column is left free: it wraps); colours take no room. */
function cut(line: string, columns: number): string {
  let room = columns - 1;
  return line.replace(/\x1b\[[\d;]*m|./gsu, (token) => (token.startsWith("\x1b") || room-- > 0 ? token : ""));
}
