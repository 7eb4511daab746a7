import type { ClientBase } from 'pg';
import { OperationError } from '../../core/runtime/errors';
import type { SweptTableName } from '../../core/erasure/contract';
import { ADDRESSES_OF_OTHERS, belongs, EVENTS_OF_PERSON, NAMED_TOGETHER, OBJECTS_OF_ROWS } from './belonging';
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
/** Tables whose rows name a user alone. */
const OF_USERS = [
  'connect_accounts',
  'bitcoin_payments',
  'entitlements',
  'entitlement_versions',
  'owner_assignments',
  'owner_assignment_log',
];

/** What is known of a subject elsewhere than in rows that an erasure reduces. */
export interface KnownElsewhere {
  /** Whether the subject was erased before. @default no */
  readonly wasErased?: () => Promise<boolean>;
  /** Whether the main database knows the user. */
  readonly isInMain: () => Promise<boolean>;
}

/**
 * Finds out who is meant. Where neither the columns of billing nor an earlier erasure name the subject, it reads every row and event of billing.
 *
 * @throws OperationError `subject_not_found`
 */
export async function findPerson(
  client: ClientBase,
  subject: RequestedSubject,
  { wasErased = () => Promise.resolve(false), isInMain }: KnownElsewhere,
): Promise<Person> {
  const isCustomer = 'customer' in subject;
  const person = isCustomer ? await ofCustomer(client, subject.customer) : await ofUser(client, subject.user);
  if (person !== undefined) return person;
  const [customers, users] = isCustomer ? [[subject.customer], []] : [[], [subject.user]];
  const alone = { customers, users, emails: [], sharedUsers: [] };
  if (await wasErased()) return alone;
  const told = isCustomer ? await customerInRows(client, subject.customer) : await userInRows(client, subject.user);
  if (told !== undefined) return told;
  if (await isInMain()) return alone;
  throw new OperationError(
    'subject_not_found',
    `No ${isCustomer ? 'customer' : 'user'} of this id is known. Nothing was changed: check the id`,
  );
}

async function ofCustomer(client: ClientBase, customer: string): Promise<Person | undefined> {
  const known = await client.query(`SELECT FROM (${PAIRS}) AS pairs WHERE customer_id = $1 LIMIT 1`, [customer]);
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
    `SELECT DISTINCT customer_id FROM (${[PAIRS, ...OF_USERS.map((table) => `SELECT NULL, user_id FROM billing.${table}`)].join(' UNION ALL ')}) AS pairs
     WHERE user_id = $1 ORDER BY customer_id`,
    [user],
  );
  if (rows.length === 0) return undefined;
  const customers = rows.flatMap(({ customer_id: id }) => (id === null ? [] : [id]));
  return { customers, users: [user], sharedUsers: [], emails: await ownEmails(client, customers) };
}

/** A customer whom only what providers sent names, such as an event that was not applied. */
async function customerInRows(client: ClientBase, customer: string): Promise<Person | undefined> {
  const told = await namedTogether(client, { customer });
  if (told.length === 0) return undefined;
  const named = valuesOf(told.map(({ user_id: id }) => id));
  const { rows } = await client.query<{ user_id: string }>(
    `SELECT DISTINCT user_id FROM (${PAIRS}) AS pairs WHERE user_id = ANY ($1) AND customer_id <> $2`,
    [named, customer],
  );
  const shared = new Set(rows.map(({ user_id: id }) => id));
  for (const user of named) {
    if (shared.has(user)) continue;
    const others = await namedTogether(client, { user });
    if (others.some((other) => other.customer !== null && other.customer !== customer)) shared.add(user);
  }
  return {
    customers: [customer],
    users: named.filter((user) => !shared.has(user)),
    sharedUsers: named.filter((user) => shared.has(user)),
    emails: await ownEmails(client, [customer], valuesOf(told.map(({ email }) => email))),
  };
}

/** A user whom only what providers sent names. */
async function userInRows(client: ClientBase, user: string): Promise<Person | undefined> {
  const told = await namedTogether(client, { user });
  if (told.length === 0) return undefined;
  const customers = valuesOf(told.map(({ customer }) => customer));
  const emails = await ownEmails(client, customers, valuesOf(told.map(({ email }) => email)));
  return { customers, users: [user], sharedUsers: [], emails };
}

interface Told {
  readonly customer: string | null;
  readonly user_id: string | null;
  readonly email: string | null;
}

async function namedTogether(
  client: ClientBase,
  { customer, user }: { readonly customer?: string; readonly user?: string },
): Promise<Told[]> {
  const of = (id: string | undefined) => (id === undefined ? [] : [id]);
  return (await client.query<Told>(NAMED_TOGETHER, [of(customer), of(user), [], []])).rows;
}

function valuesOf(values: readonly (string | null)[]): string[] {
  return [...new Set(values.filter((value) => value !== null))].toSorted();
}

/** @param told addresses that rows alone tell: then those are left out that rows alone tell of others, too */
async function ownEmails(
  client: ClientBase,
  customers: readonly string[],
  told: readonly string[] = [],
): Promise<string[]> {
  const { rows } = await client.query<{ email: string }>(
    `SELECT email FROM (
       SELECT lower(email) AS email FROM billing.customers WHERE id = ANY ($1) UNION SELECT unnest($2::text[])) AS own
     WHERE email IS NOT NULL AND NOT EXISTS (
       SELECT FROM billing.customers AS other WHERE lower(other.email) = own.email AND other.id <> ALL ($1))
     ORDER BY email`,
    [customers, told],
  );
  const emails = rows.map(({ email }) => email);
  if (told.length === 0) return emails;
  const shared = await client.query<{ address: string }>(ADDRESSES_OF_OTHERS, [customers, [], emails, []]);
  const ofOthers = new Set(shared.rows.map(({ address }) => address));
  return emails.filter((email) => !ofOthers.has(email));
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
  /** Condition on the rows, as `row`. $1 customers, $2 users, $3 emails, $4 ids of the person's objects, customers among them, $5 keys of events. */
  readonly where: string;
  /** Columns of the primary key, so that pages neither repeat nor leave out a row. */
  readonly order: string;
}

/** Rows that an erasure reduces. */
const reduced = (table: SweptTableName, order = 'row.id'): PersonalRows => ({
  table: `billing.${table}`,
  where: belongs(table),
  order,
});
const referring = (table: string, columns: readonly string[], order = 'row.id'): PersonalRows => ({
  table: `billing.${table}`,
  where: columns.map((column) => `row.${column} = ANY ($4)`).join(' OR '),
  order,
});

/** In the order of an export. */
export const PERSONAL_ROWS: readonly PersonalRows[] = [
  reduced('customers'),
  ...OWNED.map((table) => reduced(table)),
  referring('subscription_items', ['subscription_id']),
  reduced('refunds'),
  referring('refund_ledger', ['charge_id', 'refund_id'], 'row.entry'),
  reduced('invoice_payments'),
  reduced('disputes'),
  reduced('early_fraud_warnings'),
  reduced('bitcoin_payments'),
  referring('bitcoin_transactions', ['payment_id'], 'row.payment_id, row.txid'),
  reduced('connect_accounts'),
  reduced('account_restrictions'),
  reduced('payouts'),
  reduced('payout_retries', 'row.payout_id, row.attempt'),
  reduced('transfers'),
  reduced('owner_assignments', 'row.object_id'),
  reduced('owner_assignment_log'),
  {
    table: 'billing.entitlements',
    where: 'row.user_id = ANY ($2) OR row.source_id = ANY ($4)',
    order: 'row.user_id, row.project_id, row.feature, row.source, row.source_id',
  },
  { table: 'billing.entitlement_versions', where: 'row.user_id = ANY ($2)', order: 'row.user_id, row.project_id' },
  reduced('reconciliation_findings'),
  reduced('object_refreshes'),
  // By their keys, which were found before: to find events reads them all.
  {
    table: 'billing.webhook_events',
    where: `(row.provider, row.id) IN (SELECT split_part(key, ':', 1), substr(key, strpos(key, ':') + 1) FROM unnest($5::text[]) AS own (key))`,
    order: 'row.provider, row.id',
  },
];

/** Query of one table's rows; what it selects goes before it. */
export function personalRows({ table, where }: Pick<PersonalRows, 'table' | 'where'>): string {
  return `FROM ${table} AS row
    WHERE (${where}) AND ($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) IS NOT NULL`;
}

/**
 * The parameters of {@link PERSONAL_ROWS}. An object of the person may name another, as a charge does a payment intent, so it looks until it
 * finds no more. It reads all rows, and events as often as they name an object that no row does.
 */
export async function personalParameters(client: ClientBase, person: Person): Promise<readonly unknown[]> {
  const { customers, users, emails } = person;
  const ids = new Set(customers);
  const parameters = () => [customers, users, emails, [...ids]];
  const areNew = (found: readonly string[]) => {
    const before = ids.size;
    for (const id of found) ids.add(id);
    return ids.size > before;
  };
  for (;;) {
    let objects: string[];
    do objects = (await client.query<{ id: string }>(OBJECTS_OF_ROWS, parameters())).rows.map(({ id }) => id);
    while (areNew(objects));
    const { rows } = await client.query<{ key: string; ids: string[] }>(EVENTS_OF_PERSON, parameters());
    if (!areNew(rows.flatMap((event) => event.ids))) return [...parameters(), rows.map(({ key }) => key)];
  }
}
