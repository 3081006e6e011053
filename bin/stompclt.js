#!/usr/bin/env node
import { main } from "@spoolwire/stompclt";

process.exitCode = await main(process.argv.slice(2));
