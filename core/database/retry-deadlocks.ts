import { DatabaseError } from 'pg';

/** Retries of a transaction that lost a deadlock. */
const MAX_RETRIES = 3;
const SERIALIZATION_FAILURES = new Set(['40001', '40P01']);

/**
 * Runs a transaction, and again when PostgreSQL sacrificed it to end a deadlock: its locks are gone by then, so the other one
 * commits, and the second attempt finds them free.
 *
 * @param attempt one whole transaction, rolled back when it throws
 * @throws what the fourth attempt threw, or any other error at once
 */
export async function retryingDeadlocks<T>(attempt: () => Promise<T>): Promise<T> {
  for (let retries = 0; ; retries += 1) {
    try {
      return await attempt();
    } catch (error) {
      const lost = error instanceof DatabaseError && SERIALIZATION_FAILURES.has(error.code ?? '');
      if (!lost || retries === MAX_RETRIES) throw error;
    }
  }
}
