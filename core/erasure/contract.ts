/** Folder of the erasure ledger in the archive bucket: `erasures/<time>-<random>.json`, one object for each erasure. */
export const ERASURE_PREFIX = 'erasures/';

/**
 * Days that an entry of the ledger is locked. It has to outlive every archive and recovery point that may hold the person:
 * an archive that is restored after its entry is gone brings the person back. Longer keeps a hash that no data is left for.
 */
export const ERASURE_LEDGER_DAYS = 3_650;

/** Tables of billing with a trigger that reduces the rows of an erased person, parents first: what refers to an object is found by it. */
export const SWEPT_TABLE_NAMES = [
  'customers',
  'subscriptions',
  'invoices',
  'purchases',
  'charges',
  'payment_intents',
  'refunds',
  'invoice_payments',
  'disputes',
  'early_fraud_warnings',
  'connect_accounts',
  'account_restrictions',
  'payouts',
  'payout_retries',
  'transfers',
  'bitcoin_payments',
  'owner_assignments',
  'owner_assignment_log',
  'webhook_events',
  'reconciliation_findings',
  'object_refreshes',
] as const;
export type SweptTableName = (typeof SWEPT_TABLE_NAMES)[number];

/** How a function finds the ledger of erasures, and what to erase from the main database. */
export interface ErasureEnvironment {
  /** Secret with JSON `{"key": …}`, under which people are hashed. Another value makes the ledger unreadable. */
  readonly ERASURE_KEY_SECRET_ARN: string;
  /** What is erased from the main database, in the form of `formatHooks`; empty for nothing. */
  readonly ERASURE_HOOKS: string;
}

/** What becomes of a column of the main database. */
export const HOOK_TREATMENTS = ['drop', 'blank', 'pseudonymise', 'delete-row'] as const;
export type HookTreatment = (typeof HOOK_TREATMENTS)[number];

/** One column of the main database that holds something of a user. */
export interface ErasureHook {
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  /**
   * `drop`: NULL. `blank`: `erased`, where NULL is refused, and random digits behind it in a UNIQUE column. `pseudonymise`: `erased-` and part of a keyed hash, the same for all
   * rows of the user. `delete-row`: the row goes, by the column that names the user.
   */
  readonly treatment: HookTreatment;
  /** Column of the same table that holds the id of the user, as in the metadata at Stripe. */
  readonly userColumn: string;
}

const NAME = /^[^;,:=.\s]{1,63}$/;

/** The hooks as one line: `schema.table.userColumn:column=treatment,…;…`. The variables of a function have 4 kB together. */
export function formatHooks(hooks: readonly ErasureHook[]): string {
  const tables = Map.groupBy(hooks, ({ schema, table, userColumn }) => `${schema}.${table}.${userColumn}`);
  return [...tables]
    .map(([table, ofTable]) => `${table}:${ofTable.map(({ column, treatment }) => `${column}=${treatment}`).join(',')}`)
    .join(';');
}

/**
 * Reads what {@link formatHooks} wrote.
 *
 * @throws RangeError naming the part that is malformed
 */
export function parseHooks(text: string): ErasureHook[] {
  return text
    .split(';')
    .filter((part) => part !== '')
    .flatMap((part) => {
      const [place = '', columns = ''] = part.split(':');
      const [schema = '', table = '', userColumn = ''] = place.split('.');
      return columns.split(',').map((pair) => {
        const [column = '', treatment = ''] = pair.split('=');
        const known = HOOK_TREATMENTS.find((each) => each === treatment);
        if (known === undefined || ![schema, table, userColumn, column].every((name) => NAME.test(name))) {
          throw new RangeError(`ERASURE_HOOKS: expected schema.table.userColumn:column=treatment, received ${part}`);
        }
        return { schema, table, column, treatment: known, userColumn };
      });
    });
}
