import type { ClientBase } from 'pg';
import { PASSING_STATES } from '../../database/passing-states';
import { everyPath } from '../../database/search-path';
import { messageOf, OperationError } from '../../runtime/errors';
import type { DumpEntry } from '../text/dump-text';
import { describeEntry } from '../text/describe-entry';
import { splitCheck } from '../text/keys';
import { type Deviations, INSUFFICIENT_PRIVILEGE, stateOf } from './deviations';

/**
 * Entries that are sent at once, and take effect together. More than some hundred tables run out of the server's memory
 * for locks; single ones take twice as long.
 */
const BATCH_ENTRIES = 100;
/** Warnings of a GRANT or REVOKE by a role that may not: PostgreSQL changes nothing and reports success. */
const IGNORED_PRIVILEGE = ['01006', '01007'];
/** Rows need them, so a restore without them is none. */
const INDISPENSABLE = new Set(['TABLE', 'TABLE ATTACH', 'SEQUENCE', 'SEQUENCE OWNED BY', 'DEFAULT']);
/** Of these, what may belong to a foreign table or a view that was not made. */
const OF_COLUMNS = new Set(['SEQUENCE OWNED BY', 'DEFAULT']);
/** Properties of objects, each statement of which stands alone. */
const PROPERTIES = new Set(['ACL', 'DEFAULT ACL', 'OWNER', 'COMMENT', 'SECURITY LABEL']);
const PASSING = new RegExp(PASSING_STATES);
/** What data relies on: only left out for a reason that is known. */
const RULES_OF_DATA = new Set([
  'CONSTRAINT',
  'CHECK CONSTRAINT',
  'FK CONSTRAINT',
  'INDEX',
  'INDEX ATTACH',
  'ROW SECURITY',
  'POLICY',
]);
/** An undefined function or table: in the body of a function that an index calls, a name without its schema. */
const UNRESOLVED = ['42883', '42P01'];
/** What the server was built without. */
const NOT_SUPPORTED = '0A000';
/** A definition that this server or this role may not have, such as an aggregate with a state that only a superuser may use. */
const REFUSED = /^(?:42|0A|0L|22023|55|58)/;

/**
 * Runs the statements of entries, in order.
 *
 * What the role may not do (only a superuser makes event triggers, for example), what the server refuses, extensions whose
 * script fails, and what depends on these, is listed in `deviations` and left out; so is LZ4 for columns, where the server has
 * none, the validation of a check that rows do not meet, and an index that is not unique and calls a function whose body does
 * not qualify its names.
 *
 * @param client connection without an open transaction
 * @throws OperationError `schema_not_applied` naming the entry, when tables, defaults, keys or policies cannot be made;
 * `archive_inconsistent` when rows break a constraint; `database_unavailable` (retryable) when the server goes away
 */
export async function runEntries(
  client: ClientBase,
  entries: readonly DumpEntry[],
  deviations: Deviations,
): Promise<void> {
  const warnings: Error[] = [];
  const listen = (notice: { readonly code: string | undefined; readonly message: string | undefined }): void => {
    if (IGNORED_PRIVILEGE.includes(notice.code ?? '')) warnings.push(new Error(notice.message));
  };
  client.on('notice', listen);
  try {
    for (let from = 0; from < entries.length; from += BATCH_ENTRIES) {
      await runBatch(client, entries.slice(from, from + BATCH_ENTRIES), warnings, deviations);
    }
  } finally {
    client.off('notice', listen);
  }
}

async function runBatch(
  client: ClientBase,
  batch: readonly DumpEntry[],
  warnings: Error[],
  deviations: Deviations,
): Promise<void> {
  let wholly = true;
  try {
    await client.query(batch.flatMap(({ settings, statements }) => [...settings, ...statements]).join('\n'));
  } catch {
    wholly = false;
  }
  // After an error all of it was rolled back; privileges may be granted twice. One at a time, each shows what it comes to.
  const again = wholly ? batch.filter(({ type }) => type === 'ACL' && warnings.length > 0) : batch;
  for (const entry of again) {
    warnings.length = 0;
    await runEntry(client, entry, deviations);
    for (const warning of warnings) deviations.add(describeEntry(entry), 'not set', warning);
  }
  warnings.length = 0;
}

async function runEntry(client: ClientBase, entry: DumpEntry, deviations: Deviations): Promise<void> {
  for (const setting of entry.settings) {
    await client.query(setting).catch(async (error: unknown) => {
      deviations.add(describeEntry(entry), `made without ${setting}`, error);
      await client.query(setting.replace(/^SET (\S+) .*$/s, 'SET $1 = DEFAULT'));
    });
  }
  for (const unit of PROPERTIES.has(entry.type) ? propertyUnits(entry.statements) : [entry.statements.join('\n')]) {
    if (unit !== '') await client.query(unit).catch((error: unknown) => judge(client, entry, unit, error, deviations));
  }
}

/** Statements that belong together: those of another role with the change to it and back. */
function propertyUnits(statements: readonly string[]): string[] {
  const units: string[][] = [];
  let asOther = false;
  for (const statement of statements) {
    const last = units.at(-1);
    if (asOther && last) last.push(statement);
    else units.push([statement]);
    if (statement.startsWith('SET ROLE ')) asOther = true;
    if (statement.startsWith('RESET ROLE')) asOther = false;
  }
  return units.map((unit) => unit.join('\n'));
}

async function judge(
  client: ClientBase,
  entry: DumpEntry,
  sql: string,
  error: unknown,
  deviations: Deviations,
): Promise<void> {
  const state = stateOf(error);
  assertLasting(error);
  if (entry.type === 'EXTENSION') {
    // Its own script refuses, such as that of pg_cron in any database but one. What needs it, fails next.
    deviations.addExtension(describeEntry(entry), entry.statements[0] ?? '', error);
    return;
  }
  if (entry.type === 'CHECK CONSTRAINT' && (await runUnchecked(client, entry, error, deviations))) return;
  if (state.startsWith('23')) {
    throw new OperationError(
      'archive_inconsistent',
      `The rows of the archive break ${describeEntry(entry)}: ${messageOf(error)}`,
      { cause: error },
    );
  }
  if (state === INSUFFICIENT_PRIVILEGE && (await runWithoutLeakproof(client, entry, sql, error, deviations))) return;
  if (state === NOT_SUPPORTED && (await runWithoutLz4(client, entry, error, deviations))) return;
  if (!(await isTolerable(client, entry, error, deviations))) {
    const earlier = deviations.all().map(({ object, reason }) => `${object}: ${reason}`);
    throw new OperationError(
      'schema_not_applied',
      `${describeEntry(entry)} cannot be restored: ${messageOf(error)} (SQLSTATE ${state})${adviceFor(entry, state)}${earlier.length > 0 ? `; what could not be made before: ${earlier.join('; ')}` : ''}`,
      { cause: error },
    );
  }
  deviations.add(describeEntry(entry), PROPERTIES.has(entry.type) ? 'not set' : 'not made', error);
}

/** @throws OperationError `database_unavailable` for an error that says nothing about the entry, and may pass */
function assertLasting(error: unknown): void {
  const state = stateOf(error);
  if (state !== '' && !PASSING.test(state)) return;
  throw new OperationError('database_unavailable', `The server ended the restore: ${messageOf(error)}`, {
    cause: error,
  });
}

const UNIQUE_INDEX = /^CREATE UNIQUE INDEX /;

function adviceFor({ type, statements: [statement = ''] }: DumpEntry, state: string): string {
  if (type !== 'INDEX' || !UNIQUE_INDEX.test(statement) || !UNRESOLVED.includes(state)) return '';
  return '. Where a function that the index calls names this without its schema, write the schema in its body, or give it a search_path (ALTER FUNCTION … SET search_path), and back up again';
}

async function isTolerable(
  client: ClientBase,
  entry: DumpEntry,
  error: unknown,
  deviations: Deviations,
): Promise<boolean> {
  const { type } = entry;
  const state = stateOf(error);
  if (INDISPENSABLE.has(type)) {
    return OF_COLUMNS.has(type) && deviations.explains(error, await schemasOf(client));
  }
  // It may read a foreign server, which need not be there.
  if (type === 'MATERIALIZED VIEW DATA' || state === INSUFFICIENT_PRIVILEGE) return true;
  if (!RULES_OF_DATA.has(type)) return REFUSED.test(state) || deviations.explains(error, await schemasOf(client));
  if (deviations.explains(error, await schemasOf(client))) return true;
  // Queries are slower without it, and no row is other than it was.
  return type === 'INDEX' && UNRESOLVED.includes(state) && !UNIQUE_INDEX.test(entry.statements[0] ?? '');
}

async function schemasOf(client: ClientBase): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ name: string }>('SELECT nspname AS name FROM pg_catalog.pg_namespace');
  return new Set(rows.map(({ name }) => name));
}

const COMPRESSED_WITH_LZ4 = /^ALTER (?:MATERIALIZED VIEW|(?:FOREIGN )?TABLE) .* SET COMPRESSION lz4;$/s;

/** Not every server is built with LZ4. Values are then compressed as the server does by itself, and are the same. */
async function runWithoutLz4(
  client: ClientBase,
  entry: DumpEntry,
  error: unknown,
  deviations: Deviations,
): Promise<boolean> {
  const others = entry.statements.filter((statement) => !COMPRESSED_WITH_LZ4.test(statement));
  if (others.length === entry.statements.length) return false;
  try {
    await client.query(others.join('\n'));
  } catch {
    return false;
  }
  deviations.add(describeEntry(entry), 'made without LZ4 for its columns', error);
  return true;
}

/**
 * A check that rows met when they were stored: its function does not qualify its names, it depends on the time zone, for both
 * of which the database may have a setting, it reads the clock, or was replaced. Whatever it is, it holds for new rows.
 */
async function runUnchecked(
  client: ClientBase,
  entry: DumpEntry,
  error: unknown,
  deviations: Deviations,
): Promise<boolean> {
  const split = splitCheck(entry);
  if (!split) return false;
  try {
    await client.query(split.unchecked);
  } catch (failure) {
    assertLasting(failure);
    return false;
  }
  try {
    await client.query(`BEGIN; ${everyPath()} SET LOCAL TimeZone TO DEFAULT; ${split.check} COMMIT`);
  } catch (failure) {
    assertLasting(failure);
    await client.query('ROLLBACK');
    deviations.add(
      describeEntry(entry),
      'made NOT VALID: rows do not meet it, or it cannot be computed for them',
      error,
    );
  }
  return true;
}

const LEAKPROOF = /^(CREATE FUNCTION [^$']*?) LEAKPROOF\b/s;

/** Only superusers may promise that a function is leakproof; it works without the promise, and plans get slower. */
async function runWithoutLeakproof(
  client: ClientBase,
  entry: DumpEntry,
  sql: string,
  error: unknown,
  deviations: Deviations,
): Promise<boolean> {
  if (entry.type !== 'FUNCTION' || !LEAKPROOF.test(sql)) return false;
  try {
    await client.query(sql.replace(LEAKPROOF, '$1'));
  } catch {
    return false;
  }
  deviations.add(describeEntry(entry), 'made without LEAKPROOF', error);
  return true;
}
