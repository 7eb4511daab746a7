import type { ClientBase } from 'pg';
import type { RecordedJob } from '../contract';
import { messageOf } from '../runtime/errors';
import type { Log } from '../runtime/telemetry';

/**
 * Records in the billing database that a job succeeded, for `/health/jobs`. It never throws: a job that succeeded does not fail
 * for its record, whose absence shows as a job that is late.
 */
export async function recordSuccess(client: ClientBase, job: RecordedJob, at: Date, log: Log): Promise<void> {
  try {
    await client.query(
      `INSERT INTO billing.job_successes AS known (job, succeeded_at) VALUES ($1, $2)
       ON CONFLICT (job) DO UPDATE SET succeeded_at = greatest(known.succeeded_at, excluded.succeeded_at)`,
      [job, at],
    );
  } catch (error) {
    log.warn('The success of a job could not be recorded', { job, reason: messageOf(error) });
  }
}
