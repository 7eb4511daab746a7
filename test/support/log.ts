import type { Log } from '../../core/runtime/telemetry';

/** A log that discards everything. */
export const silentLog: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };
