import { write } from "./write.js";

/** Where a program tells what happens; never a secret. */
export interface Logger {
  error(text: string): void;
  warn(text: string): void;
  info(text: string): void;
  /** Level 1 is for operators, 2 and more for developers. */
  debug(text: string, level?: number): void;
}

/** How grave a line is, the gravest first. */
export const logLevels = ["error", "warning", "info", "debug"] as const;
export type LogLevel = (typeof logLevels)[number];

/** Text from anywhere as one line that tells a terminal nothing: other control characters than tabs are escaped. */
export const oneLine = (text: string) =>
  text
    .replace(/\s+/g, (space) => (space.includes("\n") ? " " : space))
    .replace(
      /[\0-\x08\x0b-\x1f\x7f-\x9f]/g,
      (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
    );

/** Where lines go. Nothing here throws: a program does its work even if it cannot tell of it. */
export interface LogTarget {
  /** Take one line, without its end. */
  write(level: LogLevel, line: string): void;
  /** Whoever has started us sees the lines. */
  readonly isStderr?: boolean;
  /** Begin anew with what the target's name stands for now. */
  reopen?(): void;
  /** What was written is on its way when it resolves. Nothing is written after that. */
  close?(): Promise<void>;
}

/** A logger whose lines can be sent elsewhere while the program runs. */
export class ProgramLog implements Logger {
  target: LogTarget;
  /** Lines less grave than this are left out; those of `debug` go by `debugLevel` alone. */
  level: LogLevel = "info";
  /** How much there is of the lines of `debug` (0: nothing). */
  debugLevel: number;

  constructor(target: LogTarget, debugLevel = 0) {
    this.target = target;
    this.debugLevel = debugLevel;
  }

  error(text: string): void {
    this.#write("error", text);
  }

  warn(text: string): void {
    this.#write("warning", `warning: ${text}`);
  }

  info(text: string): void {
    this.#write("info", text);
  }

  debug(text: string, level = 1): void {
    if (level <= this.debugLevel) this.#write("debug", `# ${text}`);
  }

  #write(level: LogLevel, text: string): void {
    if (level !== "debug" && logLevels.indexOf(level) > logLevels.indexOf(this.level)) return;
    this.target.write(level, oneLine(text));
  }
}

/** Lines on a stream, each with the program's name. */
export const streamTarget = (program: string, write: (line: string) => void): LogTarget => ({
  write: (_, line) => write(`${program}: ${line}\n`),
});

/** Lines that nobody wants. */
export const nullTarget: LogTarget = { write: () => undefined };

/** A logger that writes lines to stderr, each with the program's name. */
export function createLogger(
  program: string,
  debugLevel = 0,
  tell: (line: string) => void = (line) => void write(process.stderr, line),
): ProgramLog {
  return new ProgramLog(streamTarget(program, tell), debugLevel);
}
