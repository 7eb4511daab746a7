import type { ClientBase } from 'pg';
import { OperationError } from '../../core/runtime/errors';
import type { RequestedSubject } from './contract';

/** Everything that identifies a person in billing. */
export interface Person {
  readonly customers: readonly string[];
  readonly users: readonly string[];
  /** In lower case; only those that no other customer has. */
  readonly emails: readonly string[];
  /** Users of the customer who have other customers as well. */
  readonly sharedUsers: readonly string[];
}

/** Tables whose rows name a customer and a user. */
const OWNED = ['subscriptions', 'purchases', 'invoices', 'charges', 'payment_intents'] as const;

const PAIRS = [
  'SELECT id AS customer_id, user_id FROM billing.customers',
  ...OWNED.map((table) => `SELECT customer_id, user_id FROM billing.${table}`),
  ...['subscriptions', 'purchases'].map(
    (table) =>
      `SELECT object.customer_id, assigned.user_id FROM billing.owner_assignments AS assigned
       JOIN billing.${table} AS object ON object.id = assigned.object_id`,
  ),
].join(' UNION ALL ');

/**
 * Finds out who is meant.
 *
 * @param isKnown whether the subject was erased before, or the main database knows the user
 * @throws OperationError `subject_not_found`
 */
export async function findPerson(
  client: ClientBase,
  subject: RequestedSubject,
  isKnown: () => Promise<boolean>,
): Promise<Person> {
  const person =
    'customer' in subject ? await ofCustomer(client, subject.customer) : await ofUser(client, subject.user);
  if (person !== undefined) return person;
  if (await isKnown()) {
    const [customers, users] = 'customer' in subject ? [[subject.customer], []] : [[], [subject.user]];
    return { customers, users, emails: [], sharedUsers: [] };
  }
  const what = 'customer' in subject ? 'customer' : 'user';
  throw new OperationError('subject_not_found', `No ${what} of this id is known. Nothing was changed: check the id`);
}

async function ofCustomer(client: ClientBase, customer: string): Promise<Person | undefined> {
  const known = await client.query('SELECT FROM billing.customers WHERE id = $1', [customer]);
  if (known.rowCount === 0) return undefined;
  const { rows } = await client.query<{ user_id: string; shared: boolean }>(
    `WITH pairs AS (${PAIRS})
     SELECT user_id, bool_or(customer_id <> $1) AS shared FROM pairs
     WHERE user_id IN (SELECT user_id FROM pairs WHERE customer_id = $1) AND user_id NOT LIKE 'erased-%'
     GROUP BY user_id ORDER BY user_id`,
    [customer],
  );
  const ids = (shared: boolean) => rows.filter((row) => row.shared === shared).map((row) => row.user_id);
  return {
    customers: [customer],
    users: ids(false),
    sharedUsers: ids(true),
    emails: await ownEmails(client, [customer]),
  };
}

async function ofUser(client: ClientBase, user: string): Promise<Person | undefined> {
  const { rows } = await client.query<{ customer_id: string | null }>(
    `SELECT DISTINCT customer_id FROM (${PAIRS}
       UNION ALL SELECT NULL, user_id FROM billing.connect_accounts
       UNION ALL SELECT NULL, user_id FROM billing.bitcoin_payments
       UNION ALL SELECT NULL, user_id FROM billing.entitlement_versions) AS pairs
     WHERE user_id = $1 ORDER BY customer_id`,
    [user],
  );
  if (rows.length === 0) return undefined;
  const customers = rows.flatMap(({ customer_id: id }) => (id === null ? [] : [id]));
  return { customers, users: [user], sharedUsers: [], emails: await ownEmails(client, customers) };
}

async function ownEmails(client: ClientBase, customers: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ email: string }>(
    `SELECT DISTINCT lower(own.email) AS email FROM billing.customers AS own
     WHERE own.id = ANY ($1) AND own.email IS NOT NULL AND NOT EXISTS (
       SELECT FROM billing.customers AS other WHERE lower(other.email) = lower(own.email) AND other.id <> ALL ($1))
     ORDER BY email`,
    [customers],
  );
  return rows.map(({ email }) => email);
}

/** What of a person is still running, by id and status: an erasure would cut off a person who pays, or is paid. */
export async function runningOf(client: ClientBase, { customers, users }: Person): Promise<string[]> {
  const { rows } = await client.query<{ what: string }>(
    `SELECT id || ' (' || status || ')' AS what FROM billing.subscriptions
     WHERE (customer_id = ANY ($1) OR user_id = ANY ($2)) AND status NOT IN ('canceled', 'incomplete_expired')
     UNION ALL
     SELECT id || ' (account)' FROM billing.connect_accounts
     WHERE user_id = ANY ($2) AND (charges_enabled OR payouts_enabled)
     UNION ALL
     SELECT id || ' (' || status || ')' FROM billing.bitcoin_payments
     WHERE user_id = ANY ($2) AND status IN ('pending', 'seen', 'confirmed', 'underpaid')
     ORDER BY what`,
    [customers, users],
  );
  return rows.map(({ what }) => what);
}

/** Rows of one table that hold something of a person. */
export interface PersonalRows {
  readonly table: string;
  /** Condition on the rows, as `row`. $1 customers, $2 users, $3 emails, $4 ids of the person's objects, customers among them. */
  readonly where: string;
  /** Columns of the primary key, so that pages neither repeat nor leave out a row. */
  readonly order: string;
}

const GUEST_EMAIL = `row.customer_id IS NULL AND lower(coalesce(row.raw ->> 'receipt_email', row.raw ->> 'customer_email',
  row.raw #>> '{customer_details,email}', row.raw #>> '{billing_details,email}')) = ANY ($3)`;
const owned = (table: string): PersonalRows => ({
  table: `billing.${table}`,
  where: `row.customer_id = ANY ($1) OR row.user_id = ANY ($2) OR row.id = ANY ($4) OR (${GUEST_EMAIL})`,
  order: 'row.id',
});
const referring = (table: string, columns: readonly string[], order = 'row.id'): PersonalRows => ({
  table: `billing.${table}`,
  where: columns.map((column) => `row.${column} = ANY ($4)`).join(' OR '),
  order,
});

/** In the order of an export. */
export const PERSONAL_ROWS: readonly PersonalRows[] = [
  { table: 'billing.customers', where: 'row.id = ANY ($1)', order: 'row.id' },
  ...OWNED.map(owned),
  referring('subscription_items', ['subscription_id']),
  referring('refunds', ['charge_id', 'payment_intent_id']),
  referring('refund_ledger', ['charge_id', 'refund_id'], 'row.entry'),
  referring('invoice_payments', ['invoice_id', 'payment_intent_id']),
  referring('disputes', ['charge_id', 'payment_intent_id']),
  referring('early_fraud_warnings', ['charge_id', 'payment_intent_id']),
  { table: 'billing.bitcoin_payments', where: 'row.user_id = ANY ($2) OR row.id = ANY ($4)', order: 'row.id' },
  referring('bitcoin_transactions', ['payment_id'], 'row.payment_id, row.txid'),
  { table: 'billing.connect_accounts', where: 'row.user_id = ANY ($2)', order: 'row.id' },
  referring('account_restrictions', ['account_id']),
  referring('payouts', ['account_id']),
  referring('payout_retries', ['payout_id'], 'row.payout_id, row.attempt'),
  referring('transfers', ['account_id', 'charge_id']),
  ...[
    ['owner_assignments', 'row.object_id'],
    ['owner_assignment_log', 'row.id'],
  ].map(([table, order = '']) => ({
    table: `billing.${table}`,
    where: 'row.user_id = ANY ($2) OR row.object_id = ANY ($4)',
    order,
  })),
  {
    table: 'billing.entitlements',
    where: 'row.user_id = ANY ($2) OR row.source_id = ANY ($4)',
    order: 'row.user_id, row.project_id, row.feature, row.source, row.source_id',
  },
  { table: 'billing.entitlement_versions', where: 'row.user_id = ANY ($2)', order: 'row.user_id, row.project_id' },
  referring('reconciliation_findings', ['object_id']),
  referring('object_refreshes', ['object_id']),
  {
    table: 'billing.webhook_events',
    where: `row.object_id = ANY ($4) OR billing.id_in(row.payload #> '{data,object,customer}') = ANY ($1)
      OR row.provider || ':' || coalesce(billing.id_in(row.payload #> '{data,customer}'), row.payload #>> '{data,customer_id}') = ANY ($1)`,
    order: 'row.provider, row.id',
  },
];

/** Objects that are the person's because of another, by the columns that name it: events and findings name them alone. */
const REFERRERS = [
  ...['refunds', 'disputes', 'early_fraud_warnings'].map((table) => [table, 'charge_id', 'payment_intent_id']),
  ['payouts', 'account_id'],
  ['transfers', 'account_id', 'charge_id'],
  ['invoice_payments', 'invoice_id', 'payment_intent_id'],
]
  .flatMap(([table, ...columns]) =>
    columns.map((column) => `SELECT row.id FROM billing.${table} AS row JOIN known ON known.id = row.${column}`),
  )
  .join(' UNION ');

/** The parameters of {@link PERSONAL_ROWS}. */
export async function personalParameters(client: ClientBase, person: Person): Promise<readonly unknown[]> {
  const { customers, users, emails } = person;
  const ids = OWNED.map(
    (table) =>
      `SELECT row.id, ${table === 'subscriptions' ? 'NULL' : table === 'payment_intents' ? 'row.latest_charge_id' : 'row.payment_intent_id'} AS other
       FROM billing.${table} AS row WHERE row.customer_id = ANY ($1) OR row.user_id = ANY ($2) OR (${GUEST_EMAIL})`,
  );
  const { rows } = await client.query<{ id: string }>(
    `WITH own AS (${ids.join(' UNION ALL ')}), known AS (
       SELECT id FROM own UNION SELECT other FROM own WHERE other IS NOT NULL UNION SELECT unnest($1::text[])
       UNION SELECT id FROM billing.bitcoin_payments WHERE user_id = ANY ($2)
       UNION SELECT id FROM billing.connect_accounts WHERE user_id = ANY ($2))
     SELECT id FROM known UNION ${REFERRERS}`,
    [customers, users, emails],
  );
  return [customers, users, emails, rows.map(({ id }) => id)];
}
