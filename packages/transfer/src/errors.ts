/** A run that ended before its work was done. A promise: codes do not change. */
export class TransferError extends Error {
  override readonly name = "TransferError";
  /** Messages were sent and not confirmed in time; they are still at the source. */
  readonly code = "TRANSFER_PENDING";
}
