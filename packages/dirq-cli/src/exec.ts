import { spawn } from "node:child_process";
import { ConfigError } from "@spoolwire/program";

export interface Execution {
  readonly command: string;
  readonly args: readonly string[];
  /** The command is a line for the shell, the arguments are its $1, $2, …. */
  readonly shell: boolean;
  readonly env: Readonly<Record<string, string>>;
  readonly input: string | Uint8Array;
}

/**
 * Run a command with this on its standard input; it has our standard output and error. Whether it reads all
 * of its input is its own affair.
 * Returns undefined if it succeeded, else why not.
 * @throws ConfigError if it cannot be run
 */
export async function execute({ command, args, shell, env, input }: Execution): Promise<string | undefined> {
  const words = shell ? ["sh", "-c", command, "sh", ...args] : [command, ...args];
  const child = spawn(words[0]!, words.slice(1), {
    env: { ...process.env, ...env },
    stdio: ["pipe", "inherit", "inherit"],
  });
  child.stdin.on("error", () => undefined).end(input);
  return await new Promise((resolve, reject) => {
    child.on("error", (cause: NodeJS.ErrnoException) => {
      const hint = /\s/.test(command) && !shell ? ", or a line for the shell with --shell" : "";
      reject(
        new ConfigError(
          `Expected --exec to be a program that can be run${hint}, got "${command}" (${cause.code})`,
          { cause },
        ),
      );
    });
    child.on("exit", (status, signal) => {
      if (status === 0) resolve(undefined);
      else resolve(signal ? `was ended by ${signal}` : `ended with status ${status}`);
    });
  });
}
