/** A run that ended before its work was done. A promise: codes do not change. */
export class TransferError extends Error {
  override readonly name = "TransferError";
  /** Messages were sent and not confirmed in time; they are still at the source. */
  readonly code = "TRANSFER_PENDING";
}

/** The user's own code failed; what it threw is the cause. A promise: codes do not change. */
export class CallbackError extends Error {
  override readonly name = "CallbackError";
  readonly code = "CALLBACK_FAILED";
}
