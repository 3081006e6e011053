// simplevisor-loop as simplevisor itself starts it, wherever this package is installed.
import { main } from "./loop-main.js";

process.exitCode = await main(process.argv.slice(2));
