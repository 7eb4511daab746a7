import { SWEPT_TABLE_NAMES, type SweptTableName } from '../../core/erasure/contract';
import { ERASURE_POLICY } from '../../core/erasure/policy';

/** Objects whose ids make what refers to them the person's; the same as in `billing.own_ids`. */
const KINDS = `'account', 'bank_account', 'card', 'charge', 'checkout.session', 'credit_note', 'customer', 'dispute', 'invoice',
  'invoice_payment', 'invoiceitem', 'mandate', 'payment_intent', 'payment_method', 'person', 'quote',
  'radar.early_fraud_warning', 'refund', 'setup_intent', 'source', 'subscription', 'subscription_schedule', 'tax_id'`;
const REFERENCES = [
  'id',
  'object_id',
  'charge_id',
  'payment_intent_id',
  'invoice_id',
  'subscription_id',
  'latest_charge_id',
  'account_id',
  'payout_id',
];
const REMEMBERED = ['payment_intent_id', 'latest_charge_id', 'subscription_id', 'charge_id', 'invoice_id'];
const IS_CARD = `kind IN ('payment_method', 'source')`;
const ADDRESS = `lower(coalesce(object ->> 'receipt_email', object ->> 'customer_email',
  object #>> '{customer_details,email}', object #>> '{billing_details,email}', object ->> 'email'))`;
const EVENT_PREFIX = `CASE row.provider WHEN 'stripe' THEN '' ELSE row.provider || ':' END`;

/**
 * SQL that says of a row, as `row`, whom it names and what it refers to: `customer`, `users`, `email` (where no customer is named, `address` otherwise as well),
 * `refers` (to an object of $4), and `own`, ids that are the person's where the row is. By the same columns and paths as
 * `billing.is_of_erased` and `billing.own_ids`, which compare digests; a test compares what both find.
 */
function namedBy(table: SweptTableName): string {
  const columns = Object.keys(ERASURE_POLICY[`billing.${table}`] ?? {});
  const has = (name: string) => columns.includes(name);
  const column = (name: string) => (has(name) ? `row.${name}::text` : 'NULL');
  const isEvent = table === 'webhook_events';
  // With `#>`, and `OFFSET 0` below, a stored document is decompressed once, not for each path.
  const object = isEvent
    ? `coalesce(row.payload #> '{data,object}', row.payload #> '{data}')`
    : has('raw')
      ? `row.raw #> '{}'`
      : 'NULL::jsonb';
  const prefix = has('provider') ? EVENT_PREFIX : `coalesce(substring(${column('id')} FROM '^[a-z]+:'), '')`;
  const kind = { customers: `'customer'`, connect_accounts: `'account'` }[table as string];
  const either = (reference: string, name: string) =>
    `(prefix || coalesce(billing.id_in(object -> '${reference}'), object ->> '${name}'))`;
  // A card that is detached has no customer any more.
  const former = isEvent
    ? `, CASE row.type WHEN 'payment_method.detached' THEN prefix || (row.payload #>> '{data,previous_attributes,customer}') END`
    : '';
  const idAt = (path: string) => `billing.id_in(object ${path})`;
  // Not of the log of assignments: it has owners whose object was assigned to another since.
  const ownId =
    table === 'owner_assignments'
      ? 'row.object_id'
      : table === 'bitcoin_payments' || (has('version') && table !== 'account_restrictions')
        ? 'row.id'
        : 'NULL';
  // A seller's transfer names the charge of the buyer.
  const remembered = REMEMBERED.filter((name) => table !== 'transfers' || name !== 'charge_id');
  // Each by itself: PostgreSQL looks a value up in a hash of a long array, but compares two arrays member by member.
  const references = [
    ...REFERENCES.filter((name) => has(name) && name !== 'object_id').map(column),
    ...(isEvent
      ? [
          `(CASE WHEN row.type ~ '^(payout|account)[.]'
             THEN prefix || coalesce(row.payload ->> 'account', object ->> 'account_id', row.payload ->> 'account_id') END)`,
        ]
      : []),
    // A card is the person's only where its event says so: it may be another's by now.
    ...(has('object_id') ? [`(CASE WHEN ${IS_CARD} THEN NULL ELSE ${column('object_id')} END)`] : []),
    `(CASE WHEN ${IS_CARD} THEN NULL ELSE prefix || (object ->> 'id') END)`,
    either('charge', 'charge_id'),
    either('payment_intent', 'payment_intent_id'),
    either('subscription', 'subscription_id'),
    ...[`-> 'invoice'`, `-> 'latest_charge'`, `-> 'account'`, `-> 'source_transaction'`].map((path) => idAt(path)),
    ...[`#> '{payment,payment_intent}'`, `#> '{parent,subscription_details,subscription}'`].map((path) => idAt(path)),
    `(CASE kind WHEN 'transfer' THEN ${idAt(`-> 'destination'`)} END)`,
  ];
  const cardAlone = `(CASE WHEN ${IS_CARD} THEN prefix || (object ->> 'id') ELSE ${either('payment_method', 'payment_method_id')} END)`;
  return `(
    SELECT customer, ARRAY[${column('user_id')}, ${column('client_reference_id')}, object ->> 'client_reference_id',
        object #>> '{metadata,user_id}', object #>> '{subscription_details,metadata,user_id}',
        object #>> '{parent,subscription_details,metadata,user_id}'] AS users,
      CASE WHEN customer IS NULL AND kind IS DISTINCT FROM 'account' THEN ${ADDRESS} END AS email, ${ADDRESS} AS address,
      CASE kind WHEN 'customer' THEN lower(object ->> 'email') END AS customer_email,
      ${references.map((reference) => `${reference} = ANY ($4::text[])`).join(' OR ')}
        OR payer IS NULL AND ${cardAlone} = ANY ($4::text[]) AND NOT billing.is_card_of_another(${cardAlone}, $1::text[]) AS refers,
      ARRAY[${[...remembered.filter(has).map(column), ownId].join(', ')},
        CASE WHEN kind IN (${KINDS}) THEN prefix || (object ->> 'id') END,
        CASE WHEN kind IN ('charge', 'payment_intent', 'setup_intent') THEN ${either('payment_method', 'payment_method_id')} END] AS own
    FROM (
      SELECT object, prefix, kind, payer,
        CASE kind WHEN 'customer' THEN coalesce(prefix || (object ->> 'id'), ${column('id')}) ELSE payer END AS customer
      FROM (
        SELECT object, prefix, coalesce(object ->> 'object', ${kind ?? (isEvent ? `split_part(row.type, '.', 1)` : 'NULL')}) AS kind,
          coalesce(${column('customer_id')}, ${either('customer', 'customer_id')}${former}) AS payer
        FROM (SELECT ${object} AS object, ${prefix} AS prefix OFFSET 0) AS stored
      ) AS paid
    ) AS told)`;
}

/** Condition on what {@link namedBy} says. $1 customers, $2 users, $3 emails, $4 ids of the person's objects. */
const BELONGS = `(named.customer = ANY ($1::text[]) OR named.users && $2::text[] OR named.email = ANY ($3::text[])
  OR named.refers)`;

/** Condition on rows of a table, as `row`, that an erasure of the person reduces. Parameters as in {@link BELONGS}. */
export function belongs(table: SweptTableName): string {
  return `EXISTS (SELECT FROM ${namedBy(table)} AS named WHERE ${BELONGS})`;
}

const from = (table: SweptTableName) => `billing.${table} AS row CROSS JOIN LATERAL ${namedBy(table)} AS named`;
const STORED = SWEPT_TABLE_NAMES.filter((table) => table !== 'webhook_events');

/** Ids of objects that the rows of the person say are the person's, of every table but that of events. */
export const OBJECTS_OF_ROWS = `
  SELECT DISTINCT id FROM (${STORED.map((table) => `SELECT unnest(named.own) AS id FROM ${from(table)} WHERE ${BELONGS}`).join(' UNION ALL ')}) AS found
  WHERE id IS NOT NULL`;

/** The person's events: their keys, and the ids of objects that they say are the person's. Reads every event. */
export const EVENTS_OF_PERSON = `
  SELECT row.provider || ':' || row.id AS key, array_remove(named.own, NULL) AS ids
  FROM ${from('webhook_events')} WHERE ${BELONGS}`;

/** Whom the rows of every table name beside a customer of $1 or a user of $2. Reads all rows. */
export const NAMED_TOGETHER = `
  SELECT DISTINCT customer, member AS user_id, customer_email AS email FROM (${SWEPT_TABLE_NAMES.map(
    (table) => `SELECT named.customer, named.users, named.customer_email FROM ${from(table)}
      WHERE (named.customer = ANY ($1::text[]) OR named.users && $2::text[])
        AND ($1::text[], $2::text[], $3::text[], $4::text[]) IS NOT NULL`,
  ).join(' UNION ALL ')}) AS found
  LEFT JOIN LATERAL unnest(users) AS given (member) ON member IS NOT NULL AND member NOT LIKE 'erased-%'`;

/** Addresses of $3 that an event names together with a customer other than $1. Reads every event. */
export const ADDRESSES_OF_OTHERS = `
  SELECT DISTINCT named.address FROM ${from('webhook_events')}
  WHERE named.address = ANY ($3::text[]) AND named.customer <> ALL ($1::text[])
    AND ($1::text[], $2::text[], $3::text[], $4::text[]) IS NOT NULL`;
