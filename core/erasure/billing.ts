import { randomUUID } from 'node:crypto';
import { type ClientBase, escapeIdentifier } from 'pg';
import { retryingDeadlocks } from '../database/retry-deadlocks';
import { OperationError } from '../runtime/errors';
import { FORGET_CARD_ROWS } from './card-rows';
import { SWEPT_TABLE_NAMES, type SweptTableName } from './contract';
import { type DrainOptions, drainTransactions } from './drain';
import type { Erasures, LedgerEntry } from './ledger';

/** Rows that one statement goes through: more keep locks of rows for longer, fewer take more round trips. */
const PAGE_ROWS = 2_000;

interface SweptTable {
  readonly name: SweptTableName;
  readonly key: readonly string[];
  readonly keyType: string;
  /** A column that may be set to itself, so that the trigger sees the row. @default the first of the key */
  readonly touched?: string;
}

const NUMBERED = { keyType: 'bigint', touched: 'object_id' };
/** What differs from a text key `id`. */
const KEYS: Readonly<Partial<Record<SweptTableName, Partial<SweptTable>>>> = {
  owner_assignments: { key: ['object_id'] },
  owner_assignment_log: NUMBERED,
  webhook_events: { key: ['provider', 'id'] },
  reconciliation_findings: NUMBERED,
  object_refreshes: NUMBERED,
  // All attempts of a payout are in the same page.
  payout_retries: { key: ['payout_id'] },
};

/** Every table with a trigger, parents first. */
export const SWEPT_TABLES: readonly SweptTable[] = SWEPT_TABLE_NAMES.map((name) => ({
  name,
  key: ['id'],
  keyType: 'text',
  ...KEYS[name],
}));

/** Where the next call continues a sweep that ran out of time. */
export interface SweepPosition<Table extends string = string> {
  /** Of {@link beginSweep}. Without it, of code that did not know it, the sweep ends without finishing an erasure. */
  readonly sweep?: string | undefined;
  readonly table: Table;
  /** Key of the last row that was read, as text; null for the start of the table. */
  readonly after: readonly string[] | null;
  /** Of a pass that looks for the objects which were found before. Without it, the pass looks for people. */
  readonly seeker?: string | undefined;
}

/** What one call goes through of a sweep. */
export interface SweepLimits {
  /** @default the begin */
  readonly from?: SweepPosition | null | undefined;
  /** Asked before each page. @default always */
  readonly hasTime?: (() => boolean) | undefined;
}

/** @default of `whatNext`: to end them, and to repeat the request */
export type SweepOptions = SweepLimits & Partial<Pick<DrainOptions, 'whatNext'>>;

/** What a sweep did. */
export interface Sweep {
  /** Rows that were reduced, by table. */
  readonly reduced: Readonly<Record<string, number>>;
  /** Null when every table was gone through. */
  readonly continueFrom: SweepPosition<SweptTableName> | null;
}

/**
 * Stores every erasure of the ledger in the database. Once that is committed, the triggers reduce each row of an erased person before
 * it is written.
 */
export async function plantTombstones(client: ClientBase, { key, entries }: Erasures): Promise<void> {
  const { inner, outer } = key.pads;
  await client.query('INSERT INTO billing.erasure_key (inner_pad, outer_pad) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
    inner,
    outer,
  ]);
  const known = await client.query<{ same: boolean }>(
    'SELECT (inner_pad, outer_pad) = ($1, $2) AS same FROM billing.erasure_key',
    [inner, outer],
  );
  if (known.rows[0]?.same !== true) {
    throw new OperationError(
      'erasure_ledger_unreadable',
      'The tombstones of this database were made under another key than that of the ledger: put the former value of the secret back',
    );
  }
  for (const entry of entries) await plant(client, entry);
}

/**
 * Begins a sweep of all open erasures, those that no whole sweep has carried out. Until one ends, `counts` of each has the ids of the
 * sweeps that began after it was stored, in place of rows: one that is stored later lacks the id, and its rows may be before the
 * position of the sweep.
 *
 * @returns the id, for {@link finishErasures}, and how many are open
 */
export async function beginSweep(client: ClientBase): Promise<{ readonly sweep: string; readonly open: number }> {
  const sweep = randomUUID();
  const { rowCount } = await client.query(
    `UPDATE billing.erasures SET counts = counts || jsonb_build_object($1::text, 'sweep') WHERE finished_at IS NULL`,
    [sweep],
  );
  return { sweep, open: rowCount ?? 0 };
}

/**
 * Ids of the erasures that a database knows; none of one from before there were any. Of a live database, ask before the ledger is
 * read: an erasure that is under way appends to the ledger first.
 */
export async function knownErasures(client: ClientBase): Promise<string[]> {
  const found = await client.query<{ exists: boolean }>(`SELECT to_regclass('billing.erasures') IS NOT NULL AS exists`);
  if (found.rows[0]?.exists !== true) return [];
  const { rows } = await client.query<{ id: string }>('SELECT id FROM billing.erasures ORDER BY id');
  return rows.map(({ id }) => id);
}

/**
 * Refuses a ledger that lacks an erasure which a database knows: that person would come back with the next restore, unnoticed.
 *
 * @throws OperationError `erasure_ledger_unreadable` (retryable)
 */
export function assertLedgerHas(known: readonly string[], { entries }: Pick<Erasures, 'entries'>): void {
  const listed = new Set(entries.map(({ id }) => id));
  const [first, ...rest] = known.filter((id) => !listed.has(id));
  if (first === undefined) return;
  const others = rest.length === 0 ? '' : ` and ${rest.length} more`;
  throw new OperationError(
    'erasure_ledger_unreadable',
    `The ledger lacks erasure ${first}${others}, which the database knows, so a person might come back; nothing is handed over. A copy in another bucket may be late; otherwise restore erasures/${first}.json`,
  );
}

async function plant(client: ClientBase, { id, erasedAt, subjects }: LedgerEntry): Promise<void> {
  await client.query(
    `WITH recorded AS (
       INSERT INTO billing.erasures (id, erased_at) VALUES ($1, $2) ON CONFLICT DO NOTHING
     )
     INSERT INTO billing.erased_subjects AS known (digest, kind, erased_at)
     SELECT decode(digest, 'hex'), kind, $2 FROM json_to_recordset($3::json) AS subject (kind text, digest text)
     ON CONFLICT (digest) DO UPDATE SET erased_at = excluded.erased_at WHERE known.erased_at < excluded.erased_at`,
    [id, erasedAt, JSON.stringify(subjects)],
  );
}

/**
 * Goes through every row of billing and reduces those of erased people, then through all again for rows that refer to objects which
 * were found meanwhile, until no row leads to another. Each page is a transaction of its own, so it can be killed at any time; another
 * sweep finds the rest.
 *
 * @throws OperationError `database_busy` (retryable) naming transactions that stay open where it begins to look for objects
 */
export async function sweepBilling(
  client: ClientBase,
  { from = null, hasTime = () => true, whatNext = 'End them, and repeat the request' }: SweepOptions = {},
): Promise<Sweep> {
  const reduced: Record<string, number> = {};
  let begin = from;
  for (;;) {
    const seeker = begin?.seeker;
    // One that looked for an object before it was known stores rows that refer to it in full, perhaps behind the position of the pass.
    if (seeker !== undefined && begin?.table === SWEPT_TABLE_NAMES[0] && begin.after === null) {
      await drainTransactions(client, { whatNext });
    }
    // Not found where a restore was begun by code that named the table otherwise: then from the beginning.
    const first = SWEPT_TABLES.findIndex(({ name }) => name === begin?.table);
    for (const swept of SWEPT_TABLES.slice(Math.max(first, 0))) {
      let after = swept.name === begin?.table ? begin.after : null;
      for (;;) {
        if (!hasTime()) return { reduced, continueFrom: { table: swept.name, after, seeker } };
        const at = after;
        const page = await retryingDeadlocks(() => sweepPage(client, swept, at, seeker));
        for (const [name, rows] of Object.entries(page.reduced)) reduced[name] = (reduced[name] ?? 0) + rows;
        if (page.last === null) break;
        after = page.last;
      }
    }
    if (seeker !== undefined) await endSeeking(client, seeker);
    begin = await beginSeeking(client);
    if (begin === null) break;
  }
  await renameUsers(client, reduced);
  return { reduced, continueFrom: null };
}

/**
 * Marks the objects of erased people that no sweep has looked for in all tables. Another sweep may be looking for the same ones: the
 * first that ends is enough.
 *
 * @returns where to begin with it; null when there are none
 */
export async function beginSeeking(client: ClientBase): Promise<SweepPosition<SweptTableName> | null> {
  const seeker = randomUUID();
  const { rowCount } = await retryingDeadlocks(() =>
    client.query('UPDATE billing.erased_objects SET seekers = seekers || $1::uuid WHERE NOT sought', [seeker]),
  );
  return rowCount === 0 ? null : { seeker, table: SWEPT_TABLE_NAMES[0], after: null };
}

async function endSeeking(client: ClientBase, seeker: string): Promise<void> {
  await retryingDeadlocks(() =>
    client.query(
      `UPDATE billing.erased_objects SET sought = true, seekers = '{}' WHERE NOT sought AND $1 = ANY (seekers)`,
      [seeker],
    ),
  );
}

async function sweepPage(
  client: ClientBase,
  { name, key, keyType, touched = key[0] ?? '' }: SweptTable,
  after: readonly string[] | null,
  seeker: string | undefined,
): Promise<{ readonly reduced: Readonly<Record<string, number>>; readonly last: readonly string[] | null }> {
  const columns = key.map((column) => escapeIdentifier(column)).join(', ');
  const bound = (parameters: number) => key.map((_, at) => `$${parameters + at}::text::${keyType}`).join(', ');
  const behind = after === null ? 'true' : `(${columns}) > (${bound(1)})`;
  const page = await client.query<{ last: string[] }>(
    `SELECT ARRAY[${key.map((column) => `${escapeIdentifier(column)}::text`).join(', ')}] AS last
     FROM billing.${name} WHERE ${behind} ORDER BY ${columns} LIMIT 1 OFFSET ${PAGE_ROWS - 1}`,
    [...(after ?? [])],
  );
  const last = page.rows[0]?.last ?? null;
  const until = last === null ? 'true' : `(${columns}) <= (${bound(1 + (after?.length ?? 0))})`;
  const bounds = [...(after ?? []), ...(last ?? [])];
  // Cheaper than to ask of each row whose it is.
  const isSought =
    seeker === undefined ? 'true' : `billing.is_sought('${name}', to_jsonb(stored), $${bounds.length + 1}::text::uuid)`;
  await client.query('BEGIN');
  try {
    await client.query(
      `UPDATE billing.${name} AS stored SET ${touched} = ${touched}
       WHERE ${behind} AND ${until} AND CASE WHEN ${isSought} THEN billing.is_due_for_erasure('${name}', to_jsonb(stored)) ELSE false END`,
      [...bounds, ...(seeker === undefined ? [] : [seeker])],
    );
    // Of this table, and of those whose rows refer to what was found.
    const { rows } = await client.query<{ tally: Record<string, number> }>(
      `SELECT coalesce(nullif(current_setting('erasure.reduced', true), ''), '{}')::json AS tally`,
    );
    await client.query('COMMIT');
    return { reduced: rows[0]?.tally ?? {}, last };
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Entitlements and their versions, whose keys name the user, and what operators typed to choose rows. */
async function renameUsers(client: ClientBase, reduced: Record<string, number>): Promise<void> {
  const statements = {
    entitlements: `
      WITH own AS (DELETE FROM billing.entitlements AS stored
        WHERE source_id IN (SELECT id FROM billing.erased_objects) AND user_id <> billing.pseudonym(user_id) RETURNING *)
      INSERT INTO billing.entitlements (user_id, project_id, feature, source, source_id, valid_from, valid_until)
      SELECT billing.pseudonym(user_id), project_id, feature, source, source_id, valid_from, valid_until FROM own
      ON CONFLICT DO NOTHING`,
    // A user who came back has entitlements of what was bought since, and keeps the version.
    entitlement_versions: `
      WITH own AS (DELETE FROM billing.entitlement_versions AS stored
        WHERE billing.subject_digest('user', user_id) IN (SELECT digest FROM billing.erased_subjects)
          AND NOT EXISTS (SELECT FROM billing.entitlements AS still
            WHERE still.user_id = stored.user_id AND still.project_id = stored.project_id) RETURNING *)
      INSERT INTO billing.entitlement_versions (user_id, project_id, version, changed_at)
      SELECT billing.pseudonym(user_id), project_id, version, changed_at FROM own
      ON CONFLICT DO NOTHING`,
    row_recovery_merges: blankChoices(),
    maintenance_runs: FORGET_CARD_ROWS,
  };
  for (const [name, text] of Object.entries(statements)) {
    const changed = (await retryingDeadlocks(() => client.query(text))).rowCount ?? 0;
    if (changed > 0) reduced[name] = (reduced[name] ?? 0) + changed;
  }
}

/**
 * Blanks what operators chose to merge where it may name a person: a condition, such as on an address, or ids of tables whose keys
 * are users. Ids of the provider's objects stay.
 *
 * @param name what the database calls the table. @default its name of today
 */
export function blankChoices(name = 'row_recovery_merges'): string {
  return `UPDATE operations.${name} SET chosen = 'erased'
    WHERE chosen LIKE '%"where"%' OR chosen ~ '[[,]"(?!billing[.](?!entitlement))'`;
}

/**
 * Marks the erasures of a sweep as finished: called when the whole sweep is over. Others that were stored meanwhile stay open. Of two
 * sweeps of the same erasure, be they of an erasure or a replay, the first that ends finishes it, whichever began it.
 */
export async function finishErasures(
  client: ClientBase,
  sweep: string | undefined,
  counts: Readonly<Record<string, number>>,
): Promise<void> {
  await client.query(
    `UPDATE billing.erasures SET finished_at = now(), counts = $1 WHERE finished_at IS NULL AND counts ? $2`,
    [JSON.stringify(counts), sweep],
  );
}

/** What an erasure reaches besides billing, and the column of `billing.erasures` that says since when it has. */
export type ErasedPlace = 'main_at' | 'reports_at';

/** Records that the given erasures reached a place. Of the live database: others do not know what happens there. */
export async function recordReached(client: ClientBase, place: ErasedPlace, ids: readonly string[]): Promise<void> {
  await client.query(`UPDATE billing.erasures SET ${place} = now() WHERE ${place} IS NULL AND id = ANY ($1)`, [ids]);
}

/** Whether an erasure has not reached the main database and the reports of row recovery. */
export async function hasUnreached(client: ClientBase): Promise<boolean> {
  const { rowCount } = await client.query(
    'SELECT FROM billing.erasures WHERE main_at IS NULL OR reports_at IS NULL LIMIT 1',
  );
  return rowCount !== 0;
}
