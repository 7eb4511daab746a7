import type { ClientBase } from 'pg';
import type { ReadSchema } from '../read-schema';
import { prepareSession } from '../session';
import { comesLast } from '../text/arrange';
import { describeEntry } from '../text/describe-entry';
import type { DumpEntry, DumpText } from '../text/dump-text';
import { type Deviations, stateOf } from './deviations';
import { restoreOwners } from './owners';
import { runEntries } from './run-entries';

const UNKNOWN_SETTING = '42704';

/**
 * Makes everything that rows are loaded into: schemas, extensions, types, functions, tables without constraints, views.
 *
 * @param client connection to the new, empty database as the role that owns it
 * @throws OperationError as {@link runEntries} does
 */
export async function applyBefore(client: ClientBase, { before }: ReadSchema, deviations: Deviations): Promise<void> {
  await begin(client, before);
  await runEntries(client, before.entries, deviations);
}

/**
 * Makes what comes after the rows: constraints, indexes and triggers; fills materialised views; makes policies; gives
 * objects to their owners, grants privileges and makes event triggers, in this order.
 *
 * @param client connection to the database as the role that owns it
 * @throws OperationError as {@link runEntries} does
 */
export async function applyAfter(client: ClientBase, { after }: ReadSchema, deviations: Deviations): Promise<void> {
  await begin(client, after);
  const { structure, owners, last } = stagesOf(after.entries);
  await runEntries(client, structure, deviations);
  await restoreOwners(client, owners, deviations);
  await runEntries(client, last.filter(isApplicable), deviations);
  for (const entry of last.filter((one) => !isApplicable(one))) {
    deviations.add(describeEntry(entry), 'not set', 'privileges on the catalog belong to the server');
  }
}

function stagesOf(entries: readonly DumpEntry[]): Record<'structure' | 'owners' | 'last', DumpEntry[]> {
  return {
    structure: entries.filter((entry) => entry.type !== 'OWNER' && !comesLast(entry)),
    owners: entries.filter(({ type }) => type === 'OWNER'),
    last: entries.filter(comesLast),
  };
}

/** Servers that the platform's role does not own keep their catalogs to themselves. */
function isApplicable({ type, schema }: DumpEntry): boolean {
  return !(type === 'ACL' && schema === 'pg_catalog');
}

async function begin(client: ClientBase, { preamble }: DumpText): Promise<void> {
  await prepareSession(client, 0);
  for (const setting of preamble) {
    await client.query(setting).catch((error: unknown) => {
      // pg_dump sets what its own version has; the server may be older.
      if (stateOf(error) !== UNKNOWN_SETTING) throw error;
    });
  }
}
