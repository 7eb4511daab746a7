import type { ClientBase } from 'pg';
import type { DatabaseName } from '../contract';
import { OperationError } from '../errors';

/** A rule that the data must keep and that no constraint of the schema says. */
interface Invariant {
  /** A sentence that is true of sound data. */
  readonly name: string;
  /** Returns the id of each row that breaks the rule, as `id`. */
  readonly violations: string;
}

/** Rules for the newest schema of each database; an older archive is migrated before they are checked. */
const INVARIANTS: Record<DatabaseName, readonly Invariant[]> = {
  billing: [
    {
      name: 'no charge has refunded more than its refund ledger says, nor the ledger more than the charge',
      violations: `SELECT c.id FROM billing.charges c LEFT JOIN billing.refund_balances b ON b.charge_id = c.id
        WHERE c.amount_refunded > coalesce(b.refunded, 0) OR coalesce(b.balance, 0) NOT BETWEEN 0 AND c.amount`,
    },
    {
      name: 'refunds are in the currency of their charge',
      violations: `SELECT c.id FROM billing.refund_ledger l JOIN billing.charges c ON c.id = l.charge_id
        WHERE l.currency <> c.currency`,
    },
    {
      name: 'what Stripe said of an object is stored with that object',
      violations: ['subscriptions', 'invoices', 'purchases', 'charges']
        .map((table) => `SELECT id FROM billing.${table} WHERE raw->>'id' <> id`)
        .join(' UNION ALL '),
    },
    {
      name: 'a dry run of the reconciliation corrected nothing',
      violations: `SELECT f.id FROM billing.reconciliation_findings f
        JOIN billing.reconciliation_runs r ON r.id = f.run_id WHERE r.dry_run AND f.corrected`,
    },
  ],
  // Its tables belong to the application; what this platform knows of them, the schema's constraints say.
  main: [],
};

/** What the rules of a database's domain say about its rows. */
export interface InvariantFindings {
  readonly checked: number;
  /** Each broken rule, in a sentence that names up to three rows. */
  readonly broken: readonly string[];
}

/** Runs one check; answers `undefined` when it could not be made. */
export type AttemptCheck = <Result>(what: string, check: () => Promise<Result>) => Promise<Result | undefined>;

/**
 * Checks every rule of the domain.
 *
 * @param attempt how each is checked. @default each is, and an error ends them
 */
export async function checkInvariants(
  client: ClientBase,
  database: DatabaseName,
  attempt: AttemptCheck = (_what, check) => check(),
): Promise<InvariantFindings> {
  const broken: string[] = [];
  let checked = 0;
  for (const { name, violations } of INVARIANTS[database]) {
    const found = await attempt(`rule "${name}"`, () =>
      client.query<{ id: string }>(`SELECT id FROM (${violations}) AS broken LIMIT 3`),
    );
    if (found === undefined) continue;
    checked += 1;
    if (found.rows.length === 0) continue;
    broken.push(`"${name}" does not hold, for example for ${found.rows.map((row) => row.id).join(', ')}`);
  }
  return { checked, broken };
}

/**
 * Refuses a restored database that breaks a rule of the domain.
 *
 * @returns how many were checked
 * @throws OperationError `archive_inconsistent` naming the rules and up to three rows that break each
 */
export async function assertInvariants(client: ClientBase, database: DatabaseName): Promise<number> {
  const { checked, broken } = await checkInvariants(client, database);
  if (broken.length === 0) return checked;
  throw new OperationError('archive_inconsistent', broken.join('; '));
}
