import { type ClientBase, escapeLiteral } from 'pg';
import type { Deviation } from '../../schema/contract';

/**
 * Schema of a database that is being restored by many calls, with what they have done. Each step is recorded in the
 * transaction that takes it, so it is taken once, whoever is killed; the schema goes when the database is proven.
 */
export const JOURNAL_SCHEMA = 'billing_operations_restore';
const STEPS = `${JOURNAL_SCHEMA}.steps`;

/** What a step left behind. */
export interface StepDetail {
  /** What the server did not take. */
  readonly deviations?: readonly Deviation[];
  /** SQLSTATE and message of a statement that failed. */
  readonly code?: string;
  readonly message?: string;
  readonly [name: string]: unknown;
}

/** @param request what the restore was asked for, by which a later one knows it */
export async function createJournal(client: ClientBase, request: StepDetail): Promise<void> {
  await client.query(
    `CREATE SCHEMA ${JOURNAL_SCHEMA};
     CREATE TABLE ${STEPS} (step text PRIMARY KEY, detail jsonb NOT NULL DEFAULT '{}',
       at timestamptz NOT NULL DEFAULT clock_timestamp());
     ${recordStep('request', request)}`,
  );
}

/** SQL that records a step, for the transaction that takes it. */
export function recordStep(step: string, detail: StepDetail = {}): string {
  return `INSERT INTO ${STEPS} (step, detail) VALUES (${escapeLiteral(step)}, ${escapeLiteral(JSON.stringify(detail))})
    ON CONFLICT (step) DO UPDATE SET detail = excluded.detail, at = excluded.at`;
}

/** SQL that records the SQLSTATE and the message of the error that plpgsql has caught. */
export function recordCaughtError(step: string): string {
  return `INSERT INTO ${STEPS} (step, detail) VALUES (${escapeLiteral(step)}, jsonb_build_object('code', SQLSTATE, 'message', SQLERRM))`;
}

/**
 * Claims steps in the open transaction: another that claims the same waits for its end.
 *
 * @returns those to be taken now; another call has taken the others
 */
export async function claimSteps(
  client: ClientBase,
  steps: Readonly<Record<string, StepDetail>>,
): Promise<ReadonlySet<string>> {
  const claimed = await client.query<{ step: string }>(
    `INSERT INTO ${STEPS} (step, detail) SELECT key, value FROM jsonb_each($1) ORDER BY key ON CONFLICT DO NOTHING
     RETURNING step`,
    [JSON.stringify(steps)],
  );
  return new Set(claimed.rows.map(({ step }) => step));
}

/** @returns what the step left behind; `undefined` when it was not taken */
export async function readStep(client: ClientBase, step: string): Promise<StepDetail | undefined> {
  const { rows } = await client.query<{ detail: StepDetail }>(`SELECT detail FROM ${STEPS} WHERE step = $1`, [step]);
  return rows[0]?.detail;
}

/** Steps that were taken, with what they left behind. */
export async function readSteps(client: ClientBase, prefix: string): Promise<Map<string, StepDetail>> {
  const { rows } = await client.query<{ step: string; detail: StepDetail }>(
    `SELECT step, detail FROM ${STEPS} WHERE starts_with(step, $1)`,
    [prefix],
  );
  return new Map(rows.map(({ step, detail }) => [step, detail]));
}

export async function forgetStep(client: ClientBase, step: string): Promise<void> {
  await client.query(`DELETE FROM ${STEPS} WHERE step = $1`, [step]);
}

/** What the server did not take in any step. */
export async function readDeviations(client: ClientBase): Promise<Deviation[]> {
  const { rows } = await client.query<{ deviation: Deviation }>(
    `SELECT DISTINCT ON (d.value) d.value AS deviation FROM ${STEPS}, jsonb_array_elements(detail->'deviations') AS d`,
  );
  return rows.map(({ deviation }) => deviation);
}

/** A database that is being restored, as its journal describes it. */
export interface Progress {
  readonly request: StepDetail;
  /** When the last step was recorded. */
  readonly lastAt: Date;
}

/** @returns `undefined` for a database without a journal */
export async function readProgress(client: ClientBase): Promise<Progress | undefined> {
  const journal = await client.query<{ present: boolean }>('SELECT to_regclass($1) IS NOT NULL AS present', [STEPS]);
  if (!journal.rows[0]?.present) return undefined;
  const { rows } = await client.query<{ request: StepDetail; lastAt: Date }>(
    `SELECT (SELECT detail FROM ${STEPS} WHERE step = 'request') AS request, max(at) AS "lastAt" FROM ${STEPS}`,
  );
  return rows[0];
}

export async function dropJournal(client: ClientBase): Promise<void> {
  // Event triggers of the restored database are none of this platform's business; not every role may set them off.
  await client.query(`SET session_replication_role = replica`).catch(() => undefined);
  await client.query(`SET client_min_messages = error; DROP SCHEMA IF EXISTS ${JOURNAL_SCHEMA} CASCADE`);
}
