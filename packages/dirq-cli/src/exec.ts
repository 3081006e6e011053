import { spawn } from "node:child_process";

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
 * Returns undefined if it succeeded, else why not. Throws if there is no such command.
 */
export async function execute({ command, args, shell, env, input }: Execution): Promise<string | undefined> {
  const words = shell ? ["sh", "-c", command, "sh", ...args] : [command, ...args];
  const child = spawn(words[0]!, words.slice(1), {
    env: { ...process.env, ...env },
    stdio: ["pipe", "inherit", "inherit"],
  });
  child.stdin.on("error", () => undefined).end(input);
  return await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (status, signal) => {
      if (status === 0) resolve(undefined);
      else resolve(signal ? `was ended by ${signal}` : `ended with status ${status}`);
    });
  });
}
