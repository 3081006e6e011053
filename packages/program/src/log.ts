/** Where a program tells what happens; never a secret. */
export interface Logger {
  error(text: string): void;
  warn(text: string): void;
  info(text: string): void;
  /** Level 1 is for operators, 2 and more for developers. */
  debug(text: string, level?: number): void;
}

/** A logger that writes lines to stderr, each with the program's name. */
export function createLogger(
  program: string,
  debugLevel = 0,
  write: (line: string) => void = (line) => void process.stderr.write(line),
): Logger {
  const line = (text: string) => write(`${program}: ${text.replace(/\s*\n\s*/g, " ")}\n`);
  return {
    error: line,
    warn: (text) => line(`warning: ${text}`),
    info: line,
    debug: (text, level = 1) => {
      if (level <= debugLevel) line(`# ${text}`);
    },
  };
}
