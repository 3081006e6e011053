// simplevisor as simplevisor-control starts it, wherever this package is installed.
import { main } from "./main.js";

process.exitCode = await main(process.argv.slice(2));
