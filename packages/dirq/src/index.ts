export { DirqError, type DirqErrorCode } from "./errors.js";
export type { FileCalls } from "./files.js";
export type { Clock } from "./name.js";
export { defaults, durabilities, type Durability, type QueueOptions } from "./options.js";
export { openQueue, type DirQueue, type PurgeOptions, type PurgeReport } from "./queue.js";
export { SimpleQueue, type Surroundings } from "./simple.js";
