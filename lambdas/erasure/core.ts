import type { Client } from 'pg';
import type { ArchiveStore } from '../../core/archive/store';
import { type DatabaseConnector, withConnection } from '../../core/database/connector';
import { assertIdentity } from '../../core/database/identity';
import { explainUnknownDatabase } from '../../core/database/unknown-database';
import {
  assertLedgerHas,
  beginSweep,
  finishErasures,
  hasUnreached,
  knownErasures,
  plantTombstones,
  recordReached,
  type Sweep,
  sweepBilling,
} from '../../core/erasure/billing';
import { type ErasureHook, SWEPT_TABLE_NAMES } from '../../core/erasure/contract';
import { drainTransactions } from '../../core/erasure/drain';
import type { Subject } from '../../core/erasure/key';
import type { ErasureLedger, Erasures } from '../../core/erasure/ledger';
import { assertHooks, knowsUser, sweepMain, tryHooks } from '../../core/erasure/main';
import { replayErasures } from '../../core/erasure/replay';
import type { DatabaseName } from '../../core/contract';
import { applyMigrations, migrationStatus } from '../../core/migrations/runner';
import { InvalidRequestError, OperationError } from '../../core/runtime/errors';
import type { EraseReport, ErasureRequest, ReplayReport, ReplayRequest, RequestedSubject } from './contract';
import {
  findPerson,
  type KnownElsewhere,
  PERSONAL_ROWS,
  type Person,
  personalParameters,
  personalRows,
  runningOf,
} from './person';
import { otherDatabases } from './other-databases';
import { deleteRowReports } from './reports';

export interface ErasureDependencies {
  readonly connectors: Readonly<Record<DatabaseName, DatabaseConnector>>;
  readonly store: ArchiveStore;
  readonly ledger: ErasureLedger;
  /** What is erased from the main database. */
  readonly hooks: readonly ErasureHook[];
  readonly clock: () => Date;
  /** Milliseconds left for the work. @default no limit */
  readonly remainingMs?: () => number;
}

/** What an operator has to know of an erasure that other transactions kept from its sweep. */
const HALF_DONE =
  'The erasure is half done: what is stored from now on is reduced, what was stored before is not. End them ("ops queries billing" shows what they do), and ask for the erasure again, which completes it';

type Request<Action extends ErasureRequest['action']> = Extract<ErasureRequest, { readonly action: Action }>;

/** The id that an operator has to type. */
export function typedId(subject: RequestedSubject): string {
  return 'customer' in subject ? subject.customer : subject.user;
}

/**
 * Erases a person: appends to the ledger, stores the tombstones in billing, goes through every row of billing, treats what the hooks name in main,
 * and deletes reports that hold rows as they were. Each is recorded by itself. Killed at any point, the same request completes it. Without the typed id it
 * reports what it would do.
 *
 * @throws InvalidRequestError when another id was typed
 * @throws OperationError `subject_not_found`, `subject_active`, `hooks_invalid`; and, retryable, `store_unavailable`,
 * `erasure_ledger_unreadable`, `database_busy`, `database_unavailable`
 */
export async function erasePerson(
  dependencies: ErasureDependencies,
  { subject, typed, continueFrom }: Request<'erase'>,
): Promise<EraseReport> {
  const { connectors, ledger, hooks } = dependencies;
  if (typed !== undefined && typed.confirm !== typedId(subject)) {
    throw new InvalidRequestError('typed.confirm: type the id of the subject, or leave it out to see the plan');
  }
  return withConnection(connectors.billing, async (billing) => {
    await assertIdentity(billing, 'billing');
    const person = await findPerson(billing, subject, knownElsewhere(dependencies, billing, subject));
    const key = await ledger.key();
    // Before the ledger is appended: every later erasure and restore goes through what it names.
    const hookProblems =
      hooks.length === 0
        ? []
        : await withConnection(connectors.main, (main) => tryHooks(main, key, hooks, person.users));
    const running = await runningOf(billing, person);
    const report = {
      action: 'erase' as const,
      customers: [...person.customers],
      users: person.users.length,
      emails: person.emails.length,
      sharedUsers: person.sharedUsers.length,
      running,
      hooks: hooks.length,
      hookProblems,
    };
    if (typed === undefined) {
      const tables = await countRows(billing, person);
      return {
        ...report,
        dryRun: true,
        erasureId: null,
        tables,
        reportsDeleted: 0,
        otherDatabases: await otherDatabases(connectors, billing),
        continueFrom: null,
      };
    }
    if (running.length > 0) {
      throw new OperationError(
        'subject_active',
        `${running.join(', ')} still runs: cancel it at Stripe, wait for its event, and ask again. Nothing was changed`,
      );
    }
    assertHooks(hookProblems);
    if (continueFrom === undefined) await ledger.append(await digestsOf(ledger, person), dependencies.clock());
    const done = await carryOut(dependencies, billing, continueFrom);
    return { ...report, dryRun: false, ...done };
  });
}

function knownElsewhere(
  { connectors, ledger, hooks }: ErasureDependencies,
  billing: Client,
  subject: RequestedSubject,
): KnownElsewhere {
  return {
    // Then the request completes what was killed.
    wasErased: async () => {
      const key = await ledger.key();
      const { digest } = key.subject('customer' in subject ? 'customer' : 'user', typedId(subject));
      const known = await billing.query(`SELECT FROM billing.erased_subjects WHERE digest = decode($1, 'hex')`, [
        digest,
      ]);
      return (known.rowCount ?? 0) > 0;
    },
    isInMain: async () =>
      'user' in subject && hooks.length > 0
        ? withConnection(connectors.main, (main) => knowsUser(main, hooks, subject.user))
        : false,
  };
}

async function digestsOf(ledger: ErasureLedger, { customers, users, emails }: Person): Promise<Subject[]> {
  const key = await ledger.key();
  return [
    ...customers.map((id) => key.subject('customer', id)),
    ...users.map((id) => key.subject('user', id)),
    ...emails.map((email) => key.subject('email', email)),
  ];
}

async function carryOut(
  { connectors, ledger, store, hooks, remainingMs = () => Infinity }: ErasureDependencies,
  billing: Client,
  from: Request<'erase'>['continueFrom'],
): Promise<Pick<EraseReport, 'erasureId' | 'tables' | 'reportsDeleted' | 'otherDatabases' | 'continueFrom'>> {
  const known = await knownErasures(billing);
  const erasures = await ledger.read();
  assertLedgerHas(known, erasures);
  const erasureId = erasures.entries.at(-1)?.id ?? null;
  let sweep = from?.sweep;
  // A call that continues adds no person: one erased since the first call may have rows before its position.
  if (from === undefined) {
    await plantTombstones(billing, erasures);
    ({ sweep } = await beginSweep(billing));
    await drainTransactions(billing, { whatNext: HALF_DONE });
  }
  const { reduced, continueFrom: next } = await sweepBilling(billing, {
    from,
    hasTime: () => remainingMs() > 0,
    whatNext: HALF_DONE,
  });
  const tables = counts('billing', reduced);
  if (next !== null) {
    return { erasureId, tables, reportsDeleted: 0, otherDatabases: [], continueFrom: positionOf({ sweep, ...next }) };
  }
  await finishErasures(billing, sweep, reduced);
  const { mainTables, reportsDeleted } = await reachTheRest({ connectors, store, hooks }, billing, erasures);
  return {
    erasureId,
    tables: [...tables, ...mainTables],
    reportsDeleted,
    otherDatabases: await otherDatabases(connectors, billing),
    continueFrom: null,
  };
}

/** Erases from the main database, and deletes the reports of row recovery: both of everybody in the ledger. */
async function reachTheRest(
  { connectors, store, hooks }: Pick<ErasureDependencies, 'connectors' | 'store' | 'hooks'>,
  billing: Client,
  erasures: Erasures,
): Promise<{ readonly mainTables: EraseReport['tables']; readonly reportsDeleted: number }> {
  const ids = erasures.entries.map(({ id }) => id);
  // Without hooks too: records of operations in main may hold keys of users.
  const changed = await withConnection(connectors.main, (main) => sweepMain(main, erasures, hooks));
  await recordReached(billing, 'main_at', ids);
  // A report leaves out whom billing knows as erased: one that is made until then may have a person of the ledger.
  const known = await knownErasures(billing);
  const reportsDeleted = await deleteRowReports(store);
  await recordReached(billing, 'reports_at', known);
  return { mainTables: counts('main', changed), reportsDeleted };
}

function positionOf({
  sweep,
  table,
  after,
  seeker,
}: NonNullable<Sweep['continueFrom']>): NonNullable<EraseReport['continueFrom']> {
  return { sweep, table, after: after && [...after], seeker };
}

function counts(database: DatabaseName, rows: Readonly<Record<string, number>>): EraseReport['tables'] {
  return Object.entries(rows).map(([name, count]) => ({
    database,
    table: name.includes('.')
      ? name
      : ['row_recovery_merges', 'maintenance_runs'].includes(name)
        ? `operations.${name}`
        : `billing.${name}`,
    rows: count,
  }));
}

async function countRows(client: Client, person: Person): Promise<EraseReport['tables']> {
  const parameters = await personalParameters(client, person);
  const tables: EraseReport['tables'] = [];
  for (const personal of PERSONAL_ROWS) {
    const { rows } = await client.query<{ rows: number }>(`SELECT count(*)::int AS rows ${personalRows(personal)}`, [
      ...parameters,
    ]);
    const [counted] = rows;
    if (counted !== undefined && counted.rows > 0) {
      tables.push({ database: 'billing', table: personal.table, rows: counted.rows });
    }
  }
  return tables;
}

/**
 * Erases everybody of the ledger from a database, such as an instance that was restored, or the live one once such an instance took
 * its place. In the live billing database it also completes what an erasure that was killed did not reach. A database from before erasures reached every table is migrated first. It takes as many calls as the sweep of billing does.
 * A dry run reads the ledger and finds the database, no more.
 *
 * @throws OperationError `wrong_database`, `erasure_ledger_unreadable`, `database_busy`, or as `applyMigrations` does
 */
export async function replayAt(
  connector: DatabaseConnector,
  {
    ledger,
    hooks,
    migrationsDirectory,
    live,
    remainingMs = () => Infinity,
  }: Pick<ErasureDependencies, 'ledger' | 'hooks' | 'remainingMs'> & {
    readonly migrationsDirectory: string;
    /** Where a replay in the live billing database finds what an erasure that was killed may not have reached. */
    readonly live: Pick<ErasureDependencies, 'connectors' | 'store'>;
  },
  {
    targetDatabase,
    dryRun,
    continueFrom: from,
  }: Pick<ReplayRequest, 'targetDatabase' | 'dryRun'> & Partial<Pick<ReplayRequest, 'continueFrom'>>,
): Promise<ReplayReport> {
  const { name: database } = connector.target;
  return withConnection(
    connector,
    async (client) => {
      await assertIdentity(client, database);
      const known = database === 'billing' ? await knownErasures(client) : [];
      const erasures = await ledger.read();
      const report = { action: 'replay' as const, database, dryRun, erasures: erasures.entries.length };
      if (dryRun) return { ...report, tables: [], migrated: [], done: true, continueFrom: null };
      const migrated: string[] = [];
      if (database === 'billing' && erasures.entries.length > 0 && !(await forgetsEverywhere(client))) {
        migrated.push(...(await migrationStatus(client, database, migrationsDirectory)).pending);
        await applyMigrations(client, database, migrationsDirectory);
      }
      const hasTime = () => remainingMs() > 0;
      const { reduced, done, continueFrom } = await replayErasures(client, database, erasures, hooks, {
        from,
        hasTime,
        known,
      });
      const tables = counts(database, reduced);
      if (isLive(connector, targetDatabase, live.connectors.billing) && done && (await hasUnreached(client))) {
        tables.push(...(await reachTheRest({ ...live, hooks }, client, erasures)).mainTables);
      }
      return { ...report, tables, migrated, done, continueFrom: continueFrom && positionOf(continueFrom) };
    },
    targetDatabase,
  ).catch(async (error: unknown) => {
    throw await explainUnknownDatabase(error, connector, { field: 'targetDatabase', name: targetDatabase });
  });
}

function isLive(
  { target }: DatabaseConnector,
  database = target.database,
  { target: live }: DatabaseConnector,
): boolean {
  return target.host === live.host && target.port === live.port && database === live.database;
}

/** Whether every table that a sweep goes through has the trigger that reduces its rows, and the sweep what it calls and records. */
async function forgetsEverywhere(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ forgets: boolean }>(
    `SELECT bool_and(EXISTS (SELECT FROM pg_trigger
       WHERE tgname = 'forgets_erased' AND tgrelid = to_regclass('billing.' || quote_ident(name))))
       AND to_regprocedure('billing.is_sought(text, jsonb, uuid)') IS NOT NULL AS forgets
     FROM unnest($1::text[]) AS swept (name)`,
    [SWEPT_TABLE_NAMES],
  );
  return rows[0]?.forgets === true;
}
