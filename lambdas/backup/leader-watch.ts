import type { ClientBase } from 'pg';
import { isWaitedFor } from '../../core/database/waited-for';
import { OperationError } from '../../core/runtime/errors';
import { snapshotLost } from './snapshot';

/** Between two looks at the locks. */
const INTERVAL_MS = 500;
/**
 * How long another session may wait for the backup. Longer, and the queries of the application, which wait behind it, are
 * an outage; shorter, and every small change of a table ends the backup.
 */
const PATIENCE_MS = 2_000;

/**
 * Watches over the connection that keeps the moment of a backup open. When it is lost, or when a migration waits for it,
 * the signal is aborted; the leader's locks are freed at once.
 */
export class LeaderWatch {
  private readonly controller = new AbortController();
  private readonly stopped = Promise.withResolvers<void>();
  private readonly watching: Promise<void>;
  private reason: OperationError | undefined;

  /** @param patienceMs how long another session may wait for the backup; @default 2,000 */
  constructor(
    private readonly leader: ClientBase,
    private readonly patienceMs = PATIENCE_MS,
  ) {
    this.watching = this.watch();
  }

  /** Aborted when the backup has to end. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Why it has to: `schema_changing` or `snapshot_lost`, both retryable. */
  get failure(): OperationError | undefined {
    return this.reason;
  }

  /** Ends the watch, once its last statement has been answered. */
  async stop(): Promise<void> {
    this.stopped.resolve();
    await this.watching;
  }

  private async watch(): Promise<void> {
    const stopped = this.stopped.promise.then(() => true);
    while (!(await Promise.race([stopped, pause()]))) {
      try {
        // The leader holds a lock on every table, so a session that waits for any part of the backup waits for the leader too.
        if (!(await isWaitedFor(this.leader, this.patienceMs))) continue;
        this.reason = new OperationError(
          'schema_changing',
          'A migration waits for a table that is being archived, and the application behind it: the backup was given up, try again after the migration',
        );
      } catch (cause) {
        this.reason = snapshotLost(cause);
      }
      this.controller.abort(this.reason);
      await this.leader.query('ROLLBACK').catch(() => undefined);
      return;
    }
  }
}

function pause(): Promise<false> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(false), INTERVAL_MS).unref();
  });
}
