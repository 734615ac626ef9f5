/**
 * Conditions that someone will catch. A programmer's mistake is a `TypeError` or a `RangeError` instead.
 *
 * @module
 */

import { redactText } from "./redact.ts";

/** The `code` of every {@linkcode DocketError}. */
export type ErrorCode =
  | "CONNECTION"
  | "SERIALIZATION"
  | "PAYLOAD_TOO_LARGE"
  | "STORAGE_FULL"
  | "NOT_REPLICATED"
  | "EXECUTION_FAILED"
  | "EXECUTION_CANCELLED"
  | "EXECUTION_EXPIRED"
  | "RESULT_TIMEOUT"
  | "TIMEOUT"
  | "CANCELLED"
  | "LEASE_LOST"
  | "SHUTDOWN"
  | "NON_RETRYABLE"
  | "DEPENDENCY"
  | "UNKNOWN_TASK"
  | "PROTOCOL";

/** The base of everything that this library throws for its callers to catch. */
export abstract class DocketError extends Error {
  /** Stable, for `switch` and for logs. */
  abstract readonly code: ErrorCode;
}

/** The storage did not answer, or refused the connection. After an add, the task may exist. */
export class ConnectionError extends DocketError {
  /** `"ConnectionError"`. */
  override readonly name = "ConnectionError";
  /** `"CONNECTION"`. */
  override readonly code = "CONNECTION";
}

/** A value cannot be carried: `path` says where it stands, such as `args[0].user.save`. */
export class SerializationError extends DocketError {
  /** `"SerializationError"`. */
  override readonly name = "SerializationError";
  /** `"SERIALIZATION"`. */
  override readonly code = "SERIALIZATION";
  /** Where the value stands. */
  readonly path: string;

  /** Keeps where the value stands. */
  constructor(message: string, path: string, options?: ErrorOptions) {
    super(message, options);
    this.path = path;
  }
}

/** Arguments are larger than `maxPayloadBytes`, and nothing was written; or a result is, and its execution failed. */
export class PayloadTooLargeError extends DocketError {
  /** `"PayloadTooLargeError"`. */
  override readonly name = "PayloadTooLargeError";
  /** `"PAYLOAD_TOO_LARGE"`. */
  override readonly code = "PAYLOAD_TOO_LARGE";
  /** How large the encoded payload is. */
  readonly bytes: number;
  /** How large it may be. */
  readonly limit: number;

  /** Keeps both sizes. */
  constructor(message: string, bytes: number, limit: number) {
    super(message);
    this.bytes = bytes;
    this.limit = limit;
  }
}

/** The storage has no memory left, or cannot save to its disk; nothing was written. Without memory workers still drain. */
export class StorageFullError extends DocketError {
  /** `"StorageFullError"`. */
  override readonly name = "StorageFullError";
  /** `"STORAGE_FULL"`. */
  override readonly code = "STORAGE_FULL";
}

/** Fewer replicas than an add or replace asked for have confirmed it in time. The task may exist, and may outlive the master. */
export class NotReplicatedError extends DocketError {
  /** `"NotReplicatedError"`. */
  override readonly name = "NotReplicatedError";
  /** `"NOT_REPLICATED"`. */
  override readonly code = "NOT_REPLICATED";
  /** How many replicas were asked for. */
  readonly replicas: number;
  /** How many have confirmed. */
  readonly acknowledged: number;

  /** Keeps both numbers. */
  constructor(message: string, replicas: number, acknowledged: number, options?: ErrorOptions) {
    super(message, options);
    this.replicas = replicas;
    this.acknowledged = acknowledged;
  }
}

/** `result()` of an execution that failed or was parked as dead; `cause` is the task's error. */
export class ExecutionFailedError extends DocketError {
  /** `"ExecutionFailedError"`. */
  override readonly name = "ExecutionFailedError";
  /** `"EXECUTION_FAILED"`. */
  override readonly code = "EXECUTION_FAILED";
  /** The key of the execution. */
  readonly key: string;

  /** Keeps the key; the `cause` in the options is what the task threw. */
  constructor(message: string, key: string, options?: ErrorOptions) {
    super(message, options);
    this.key = key;
  }
}

/** Why an execution was cancelled. */
export type CancelReason = "cancelled" | "replaced" | "struck" | "dropped" | "cleared";

/** `result()` of an execution that was cancelled; `reason` says by what. */
export class ExecutionCancelledError extends DocketError {
  /** `"ExecutionCancelledError"`. */
  override readonly name = "ExecutionCancelledError";
  /** `"EXECUTION_CANCELLED"`. */
  override readonly code = "EXECUTION_CANCELLED";
  /** The key of the execution. */
  readonly key: string;
  /** What ended it. */
  readonly reason: CancelReason;

  /** Keeps the key and what ended the execution. */
  constructor(message: string, key: string, reason: CancelReason) {
    super(message);
    this.key = key;
    this.reason = reason;
  }
}

/** The record of an execution is gone: its time to live is over, or a later run of the key overwrote it. */
export class ExecutionExpiredError extends DocketError {
  /** `"ExecutionExpiredError"`. */
  override readonly name = "ExecutionExpiredError";
  /** `"EXECUTION_EXPIRED"`. */
  override readonly code = "EXECUTION_EXPIRED";
  /** The key of the execution. */
  readonly key: string;

  /** Keeps the key. */
  constructor(message: string, key: string) {
    super(message);
    this.key = key;
  }
}

/** `result({ timeout })` waited long enough; the execution goes on. */
export class ResultTimeoutError extends DocketError {
  /** `"ResultTimeoutError"`. */
  override readonly name = "ResultTimeoutError";
  /** `"RESULT_TIMEOUT"`. */
  override readonly code = "RESULT_TIMEOUT";
  /** The key of the execution. */
  readonly key: string;

  /** Keeps the key. */
  constructor(message: string, key: string) {
    super(message);
    this.key = key;
  }
}

/** A task ran longer than its `Timeout`; also the reason of its signal. */
export class TimeoutError extends DocketError {
  /** `"TimeoutError"`. */
  override readonly name = "TimeoutError";
  /** `"TIMEOUT"`. */
  override readonly code = "TIMEOUT";
}

/** A running task was asked to stop; the reason of its signal. */
export class CancelledError extends DocketError {
  /** `"CancelledError"`. */
  override readonly name = "CancelledError";
  /** `"CANCELLED"`. */
  override readonly code = "CANCELLED";
}

/** The worker lost its lease on a task, and another may run it; the reason of its signal. */
export class LeaseLostError extends DocketError {
  /** `"LeaseLostError"`. */
  override readonly name = "LeaseLostError";
  /** `"LEASE_LOST"`. */
  override readonly code = "LEASE_LOST";
}

/** The worker is stopping and its grace period is over; the reason of a running task's signal. */
export class ShutdownError extends DocketError {
  /** `"ShutdownError"`. */
  override readonly name = "ShutdownError";
  /** `"SHUTDOWN"`. */
  override readonly code = "SHUTDOWN";
}

/** Thrown by a task that must not be tried again, whatever its `Retry` says. */
export class NonRetryableError extends DocketError {
  /** `"NonRetryableError"`. */
  override readonly name = "NonRetryableError";
  /** `"NON_RETRYABLE"`. */
  override readonly code = "NON_RETRYABLE";
}

/** One dependency that could not be opened or disposed. */
export interface DependencyFailure {
  /** Its name in the record. */
  readonly name: string;
  /** What it threw. */
  readonly error: unknown;
}

/** Dependencies of a task could not be opened or disposed; `failures` lists every one. */
export class DependencyError extends DocketError {
  /** `"DependencyError"`. */
  override readonly name = "DependencyError";
  /** `"DEPENDENCY"`. */
  override readonly code = "DEPENDENCY";
  /** Every dependency that failed, in the order of the record. */
  readonly failures: readonly DependencyFailure[];

  /** Keeps every failure; the first is the `cause`. */
  constructor(message: string, failures: readonly DependencyFailure[]) {
    super(message, { cause: failures[0]?.error });
    this.failures = failures;
  }
}

/** No worker knew the task for too long, so that its execution was parked as dead. */
export class UnknownTaskError extends DocketError {
  /** `"UnknownTaskError"`. */
  override readonly name = "UnknownTaskError";
  /** `"UNKNOWN_TASK"`. */
  override readonly code = "UNKNOWN_TASK";
  /** The name of the task. */
  readonly task: string;

  /** Keeps the name of the task. */
  constructor(message: string, task: string) {
    super(message);
    this.task = task;
  }
}

/** Stored data or a reply has a form that this version does not know. */
export class ProtocolError extends DocketError {
  /** `"ProtocolError"`. */
  override readonly name = "ProtocolError";
  /** `"PROTOCOL"`. */
  override readonly code = "PROTOCOL";
}

/** Every error of this library; narrows on `code`. */
export type AnyDocketError =
  | ConnectionError
  | SerializationError
  | PayloadTooLargeError
  | StorageFullError
  | NotReplicatedError
  | ExecutionFailedError
  | ExecutionCancelledError
  | ExecutionExpiredError
  | ResultTimeoutError
  | TimeoutError
  | CancelledError
  | LeaseLostError
  | ShutdownError
  | NonRetryableError
  | DependencyError
  | UnknownTaskError
  | ProtocolError;

/** The message of whatever was thrown, without the secrets of URLs that it quotes (invariant 85); never throws itself. */
export function messageOf(error: unknown): string {
  try {
    return redactText(error instanceof Error ? String(error.message) : String(error));
  } catch {
    return "a value that cannot be shown was thrown";
  }
}
