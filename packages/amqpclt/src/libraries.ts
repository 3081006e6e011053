import { createRequire } from "node:module";
import type Amqplib from "amqplib";
import type Rhea from "rhea";

// Loaded at first use: either agent can speak AMQP, most runs do not, and both take 50 ms of their start.
const require = createRequire(import.meta.url);

let loadedRhea: typeof Rhea | undefined;
let loadedAmqplib: typeof Amqplib | undefined;

/** The library for AMQP 1.0. */
export const rhea = () => (loadedRhea ??= require("rhea") as typeof Rhea);

/** The library for AMQP 0-9-1. */
export const amqplib = () => (loadedAmqplib ??= require("amqplib") as typeof Amqplib);
