import type { ClientBase } from 'pg';
import type { ReadSchema } from '../read-schema';
import { prepareSession } from '../../database/session';
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
  await prepareForEntries(client, before);
  await runEntries(client, before.entries, deviations);
}

/** Work that a restore does in its own way, between the stages of {@link applyAfter}. */
export interface AfterHooks {
  /** Makes constraints, indexes and triggers, in their order. @default one after the other */
  readonly makeKeys?: (entries: readonly DumpEntry[]) => Promise<void>;
  /** Called while the restoring role owns everything, and has everything but owners and privileges made. @default nothing */
  readonly beforeOwners?: () => Promise<void>;
}

/**
 * Makes what comes after the rows: constraints, indexes and triggers; fills materialised views; makes policies; gives
 * objects to their owners, grants privileges and makes event triggers, in this order.
 *
 * @param client connection to the database as the role that owns it
 * @throws OperationError as {@link runEntries} does
 */
export async function applyAfter(
  client: ClientBase,
  { after }: ReadSchema,
  deviations: Deviations,
  hooks: AfterHooks = {},
): Promise<void> {
  await prepareForEntries(client, after);
  const { keys, rules, owners, last } = stagesOf(after.entries);
  await (hooks.makeKeys?.(keys) ?? runEntries(client, keys, deviations));
  await runEntries(client, rules, deviations);
  await hooks.beforeOwners?.();
  await applyOwners(client, { owners, last }, deviations);
}

/**
 * The last stages of {@link applyAfter}. Repeating it changes nothing.
 *
 * @throws OperationError as {@link runEntries} does
 */
export async function applyOwners(
  client: ClientBase,
  { owners, last }: Pick<AfterStages, 'owners' | 'last'>,
  deviations: Deviations,
): Promise<void> {
  await restoreOwners(client, owners, deviations);
  await runEntries(client, last.filter(isApplicable), deviations);
  for (const entry of last.filter((one) => !isApplicable(one))) {
    deviations.add(describeEntry(entry), 'not set', 'privileges on the catalog belong to the server');
  }
}

/** What reads the rows, or decides who may. */
const RULES = new Set(['MATERIALIZED VIEW DATA', 'ROW SECURITY', 'POLICY']);

/** What comes after the rows, in the order in which it is made. */
export type AfterStages = Readonly<Record<'keys' | 'rules' | 'owners' | 'last', readonly DumpEntry[]>>;

export function stagesOf(entries: readonly DumpEntry[]): AfterStages {
  const structure = entries.filter((entry) => entry.type !== 'OWNER' && !comesLast(entry));
  const firstRule = structure.findIndex(({ type }) => RULES.has(type));
  const cut = firstRule < 0 ? structure.length : firstRule;
  return {
    keys: structure.slice(0, cut),
    rules: structure.slice(cut),
    owners: entries.filter(({ type }) => type === 'OWNER'),
    last: entries.filter(comesLast),
  };
}

/** Servers that the platform's role does not own keep their catalogs to themselves. */
function isApplicable({ type, schema }: DumpEntry): boolean {
  return !(type === 'ACL' && schema === 'pg_catalog');
}

/** Gives a session the settings that the statements of a dump rely on. */
export async function prepareForEntries(client: ClientBase, { preamble }: DumpText): Promise<void> {
  await prepareSession(client, 0);
  for (const setting of preamble) {
    await client.query(setting).catch((error: unknown) => {
      // pg_dump sets what its own version has; the server may be older.
      if (stateOf(error) !== UNKNOWN_SETTING) throw error;
    });
  }
}
