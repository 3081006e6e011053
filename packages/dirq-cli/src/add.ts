import { createReadStream } from "node:fs";
import { addAbortSignal, type Readable } from "node:stream";
import { excludes, ExitStatus } from "@spoolwire/program";
import { command } from "./command.js";
import { readLines, readWhole } from "./input.js";
import { queueOperand } from "./operands.js";
import { addingOptions, statisticsOption, typeOptions } from "./options.js";
import { Output } from "./output.js";
import { openSpool } from "./spool.js";

export const add = command(
  {
    name: "add",
    summary: "Add elements: each file, or standard input, or each of their lines.",
    operands: "QUEUE [FILE…]",
    options: [
      { name: "lines", type: "boolean", help: "make an element of each line, its end included" },
      { name: "json", type: "boolean", help: "each line is a message in JSON" },
      {
        name: "header",
        type: "properties",
        help: "make messages with this header, the input being their bodies",
      },
      { name: "names", type: "boolean", help: "write the name of each element that was added" },
      ...addingOptions,
      ...typeOptions,
      statisticsOption,
    ],
    relations: [excludes("json", "lines", "header")],
  },
  async ({ options, operands, log, signal, streams }) => {
    const { path, rest } = queueOperand(operands);
    const { lines, json, header } = options;
    const form = json ? "json" : header ? "body" : "content";
    const spool = openSpool(path, { ...options, create: true });
    const output = new Output(streams.stdout);
    const started = performance.now();
    let [count, line] = [0, 0];
    let file: string | undefined;

    /** What came together is added together, and at once: the input may be a terminal, or `tail -f`. */
    async function addAll(batch: readonly Buffer[]): Promise<void> {
      const items: unknown[] = [];
      let mistake: Error | undefined;
      for (const input of batch) {
        line++;
        if (json && input.toString().trim() === "") continue;
        try {
          items.push(spool.encode(input, form, header));
        } catch (error) {
          // What came before it is added all the same.
          mistake = error as Error;
          if (json) mistake.message = `line ${line}: ${mistake.message}`;
          break;
        }
      }
      const names = await spool.add(items);
      count += names.length;
      for (const name of options.names ? names : []) await output.line(name);
      await output.flush();
      if (mistake) throw mistake;
    }

    try {
      for (file of rest.length > 0 ? rest : [undefined]) {
        // Opened when it is its turn: there may be more than can be open, and one that is missing stops none before it.
        const input = file === undefined ? (streams.stdin as Readable) : createReadStream(file);
        addAbortSignal(signal, input);
        for await (const batch of lines || json ? readLines(input) : readWhole(input)) await addAll(batch);
      }
    } catch (error) {
      if (signal.aborted) log.warn(`stopped; ${count} elements were added`);
      else if (count > 0) log.warn(`${count} elements were added before the error`);
      if (signal.aborted) return ExitStatus.temporary;
      const { code, path } = error as NodeJS.ErrnoException;
      // A directory can be opened: reading it fails, and does not say which.
      if (code === "EISDIR" && path === undefined && file !== undefined)
        (error as Error).message += ` '${file}'`;
      throw error;
    }
    if (options.statistics) {
      const seconds = (performance.now() - started) / 1000;
      log.info(`added ${count} elements in ${seconds.toFixed(3)} seconds`);
    }
    return undefined;
  },
);
