export type { FileCalls } from "./calls.js";
export { watchQueue, type Change } from "./changes.js";
export {
  consumePlain,
  type ConsumeEvent,
  type ConsumeOptions,
  type Consumer,
  type HeldElement,
  type Reading,
} from "./consume.js";
export type { Surroundings } from "./disk.js";
export { DirqError, type DirqErrorCode } from "./errors.js";
export { inspectQueue, typeOfQueue } from "./inspect.js";
export type { ElementState, Problem, ProblemKind, QueueInspector, Survey } from "./inspector.js";
export type { Clock } from "./name.js";
export { NormalQueue } from "./normal.js";
export { NullQueue } from "./null.js";
export {
  defaults,
  durabilities,
  type DiskQueueOptions,
  type Durability,
  type NormalQueueOptions,
  type NullQueueOptions,
  type QueueOptions,
  type QueueType,
} from "./options.js";
export type { Quarantined } from "./quarantine.js";
export { openQueue, type DirQueue, type OnAdded, type PurgeOptions, type PurgeReport } from "./queue.js";
export type { Fields, FieldsToAdd } from "./schema.js";
export { QueueSet } from "./set.js";
export { SimpleQueue } from "./simple.js";
export type { Table } from "./table.js";
