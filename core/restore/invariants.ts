import type { ClientBase } from 'pg';
import type { DatabaseName } from '../contract';
import { OperationError } from '../runtime/errors';

/** A rule of the data that no constraint of the schema expresses. */
interface Invariant {
  /** A sentence that is true of sound data. */
  readonly name: string;
  /** Returns the id of each row that breaks the rule, once, as `id`. */
  readonly violations: string;
}

/** Rules for the newest schema of each database; an older archive is migrated before they are checked. */
const INVARIANTS: Record<DatabaseName, readonly Invariant[]> = {
  billing: [
    {
      name: 'no charge has refunded more than its refund ledger says, nor the ledger more than the charge',
      violations: `SELECT c.id FROM billing.charges c LEFT JOIN billing.refund_balances b ON b.charge_id = c.id
        -- What was authorised and not captured is released, which is no refund.
        WHERE c.amount_refunded - (c.amount - coalesce(c.amount_captured, c.amount)) > coalesce(b.refunded, 0) OR coalesce(b.balance, 0) NOT BETWEEN 0 AND c.amount`,
    },
    {
      name: 'refunds are in the currency of their charge',
      violations: `SELECT c.id FROM billing.charges c WHERE EXISTS
        (SELECT FROM billing.refund_ledger l WHERE l.charge_id = c.id AND l.currency <> c.currency)`,
    },
    {
      name: 'the stored payload of an object is its own',
      violations: ['subscriptions', 'invoices', 'purchases', 'charges']
        // The payload has the provider's own id; the table has that of Tilled with a prefix.
        .map((table) => `SELECT id FROM billing.${table} WHERE raw->>'id' <> regexp_replace(id, '^tilled:', '')`)
        .join(' UNION ALL '),
    },
    {
      name: 'a dry run of the reconciliation corrected nothing',
      violations: `SELECT f.id FROM billing.reconciliation_findings f
        JOIN billing.reconciliation_runs r ON r.id = f.run_id WHERE r.dry_run AND f.corrected`,
    },
  ],
  // Its tables belong to the application: this platform knows no rules beyond the constraints of the schema.
  main: [],
};

interface BreakingRows {
  readonly rows: number;
  /** The ids of two of them. */
  readonly first: string;
  readonly last: string;
}

/** Result of checking the rules of a database's domain. */
export interface InvariantFindings {
  readonly checked: number;
  /** Each broken rule, in a sentence with the number of rows and two examples. */
  readonly broken: readonly string[];
}

/** Runs one check; resolves to `undefined` without a result. */
export type AttemptCheck = <Result>(what: string, check: () => Promise<Result>) => Promise<Result | undefined>;

/**
 * Checks every rule of the domain.
 *
 * @param attempt runs each check. @default an error ends the checks
 */
export async function checkInvariants(
  client: ClientBase,
  database: DatabaseName,
  attempt: AttemptCheck = (_what, check) => check(),
): Promise<InvariantFindings> {
  const broken: string[] = [];
  let checked = 0;
  for (const { name, violations } of INVARIANTS[database]) {
    // Counting all rows, where a LIMIT would do, lets PostgreSQL use parallel workers.
    const found = await attempt(`rule "${name}"`, () =>
      client.query<BreakingRows>(
        `SELECT count(*)::float8 AS rows, min(id::text) AS first, max(id::text) AS last FROM (${violations}) AS broken`,
      ),
    );
    if (found === undefined) continue;
    checked += 1;
    const [breaking] = found.rows;
    if (breaking && breaking.rows > 0) broken.push(`"${name}" does not hold for ${nameRows(breaking)}`);
  }
  return { checked, broken };
}

function nameRows({ rows, first, last }: BreakingRows): string {
  return rows === 1 ? first : `${rows} rows, such as ${first} and ${last}`;
}

/**
 * Refuses a restored database that breaks a rule of the domain.
 *
 * @returns how many were checked
 * @throws OperationError `archive_inconsistent` naming the rules and rows that break each
 */
export async function assertInvariants(client: ClientBase, database: DatabaseName): Promise<number> {
  const { checked, broken } = await checkInvariants(client, database);
  if (broken.length === 0) return checked;
  throw new OperationError('archive_inconsistent', broken.join('; '));
}
