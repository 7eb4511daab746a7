import type { Log } from '../../lambdas/shared/telemetry';

/** A log that nobody reads. */
export const silentLog: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };
