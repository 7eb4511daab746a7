import type { ClientBase } from 'pg';
import { OBJECT_COLUMNS, OBJECT_TABLES, type ObjectKind } from '../../core/billing/columns';
import { eventIdsOf } from '../../core/billing/version';
import { ownedId, TILLED } from '../../core/providers/tilled/name';
import { CANARY_EVENT, WEBHOOK_ENDPOINTS } from '../../core/providers/contract';
import type { InspectionReport, InspectionRequest } from './contract';

type ListedEvent = InspectionReport<'events'>['events'][number];
type EventDetail = NonNullable<InspectionReport<'event'>['event']>;

interface EventRow {
  readonly id: string;
  readonly provider: string;
  readonly type: string;
  readonly status: ListedEvent['status'];
  readonly attempts: number;
  readonly error: string | null;
  readonly source: string;
  readonly api_version: string | null;
  readonly object_id: string | null;
  readonly customer_id: string | null;
  readonly subscription_id: string | null;
  readonly app_id: string | null;
  readonly occurred_at: Date;
  readonly received_at: Date;
  readonly processed_at: Date | null;
  /** Microseconds since 1970, which a Date would round. */
  readonly occurred_us: string;
}

/** An id in the event's object: as text, or of the object that stands there expanded. */
const idIn = (path: string): string =>
  `coalesce(event.payload #>> '{data,object,${path},id}', event.payload #>> '{data,object,${path}}')`;
/** Tilled's objects stand in `data` itself, and have the prefix of `ownedId` where they are stored. */
const byProvider = (tilled: string, stripe: string): string =>
  `CASE event.provider WHEN '${TILLED}' THEN ${tilled} ELSE ${stripe} END`;
const CUSTOMER = byProvider(
  `'${ownedId('')}' || coalesce(event.payload #>> '{data,customer,id}', event.payload #>> '{data,customer_id}')`,
  idIn('customer'),
);
const SUBSCRIPTION = byProvider(
  `CASE WHEN event.type LIKE 'subscription.%' THEN event.object_id
   ELSE '${ownedId('')}' || (event.payload #>> '{data,subscription_id}') END`,
  `coalesce(CASE WHEN event.object_id LIKE 'sub\\_%' THEN event.object_id END,
  ${idIn('subscription')}, ${idIn('parent,subscription_details,subscription')})`,
);
/** Of the object's own metadata, or of the subscription that it belongs to. */
const APP = `coalesce(${byProvider(
  `event.payload #>> '{data,metadata,app_id}'`,
  `coalesce(event.payload #>> '{data,object,metadata,app_id}',
  event.payload #>> '{data,object,parent,subscription_details,metadata,app_id}')`,
)},
  (SELECT subscription.app_id FROM billing.subscriptions AS subscription WHERE subscription.id = ${SUBSCRIPTION}))`;
const COLUMNS = `event.id, event.provider, event.type, event.status, event.attempts, event.error, event.source,
  event.api_version, event.object_id, ${CUSTOMER} AS customer_id, ${SUBSCRIPTION} AS subscription_id, ${APP} AS app_id,
  event.occurred_at, event.received_at, event.processed_at,
  (extract(epoch FROM event.occurred_at) * 1000000)::bigint::text AS occurred_us`;

/**
 * Events that one request looks through for what no index leads to: from a customer, a type or a settled status to its events,
 * since each would cost every event that is written. Fewer mean more requests for an old event; more mean seconds for one
 * that is not there.
 */
const SEARCHED_EVENTS = 20_000;
/** Statuses that an index leads to. */
const INDEXED_STATUSES: readonly string[] = ['received', 'processing', 'failed'];

function isSearch({ status, type, since, about }: InspectionRequest<'events'>): boolean {
  if (about !== undefined) return true;
  if (status !== undefined) return !INDEXED_STATUSES.includes(status);
  return type !== undefined || since !== undefined;
}

/** Place in the list, newest first: an event's time in microseconds, and its id. */
interface Place {
  readonly us: string;
  readonly id: string;
}

const toCursor = ({ us, id }: Place): string => `${us}.${id}`;

function fromCursor(cursor: string | undefined): Place | undefined {
  const [us = '', ...id] = cursor?.split('.') ?? [];
  return cursor === undefined ? undefined : { us, id: id.join('.') };
}

/** The moment of a place, of which microseconds are kept. */
const momentOf = (parameter: string): string => `to_timestamp(0) + ${parameter}::bigint * interval '1 microsecond'`;

/**
 * Events of the ledger, the newest first. Never their payloads, which hold personal data; and the platform's own only where
 * their type is asked for.
 *
 * @param searched events that one request looks through at most; @default 20,000
 */
export async function listEvents(
  client: ClientBase,
  request: InspectionRequest<'events'>,
  searched = SEARCHED_EVENTS,
): Promise<InspectionReport<'events'>> {
  const { status, type, since, about, before, limit } = request;
  const start = fromCursor(before);
  const end = isSearch(request) ? await endOfSearch(client, start, searched) : undefined;
  const { rows } = await client.query<EventRow>(
    `SELECT ${COLUMNS}
     FROM billing.webhook_events AS event
     WHERE ($1::text IS NULL OR status = $1) AND CASE WHEN $2::text IS NULL THEN type <> $5 ELSE type = $2 END
       AND ($3::timestamptz IS NULL OR received_at >= $3)
       AND ($6::text IS NULL OR $6 IN (event.id, event.object_id, ${CUSTOMER}, ${SUBSCRIPTION})
         OR $11 IN (event.object_id, ${CUSTOMER}, ${SUBSCRIPTION}) OR (event.provider = '${TILLED}' AND event.id = $12))
       AND ($7::bigint IS NULL OR (occurred_at <= ${momentOf('$7')} AND (occurred_at < ${momentOf('$7')} OR id > $8)))
       AND ($9::bigint IS NULL OR (occurred_at >= ${momentOf('$9')} AND (occurred_at > ${momentOf('$9')} OR id <= $10)))
     ORDER BY occurred_at DESC, id LIMIT $4`,
    [
      status ?? null,
      type ?? null,
      since ?? null,
      limit,
      CANARY_EVENT.type,
      about ?? null,
      start?.us ?? null,
      start?.id ?? null,
      end?.us ?? null,
      end?.id ?? null,
      ...tilledIds(about),
    ],
  );
  const last = rows.at(-1);
  const next = last !== undefined && rows.length === limit ? { us: last.occurred_us, id: last.id } : end;
  return { action: 'events', events: rows.map(describeEvent), next: next === undefined ? null : toCursor(next) };
}

/** What `about` is of Tilled: the stored id of an object whose own id it is, and the event that a finding names with the prefix. */
function tilledIds(about: string | undefined): readonly [objectId: string | null, eventId: string | null] {
  if (about === undefined) return [null, null];
  const prefix = ownedId('');
  return about.startsWith(prefix) ? [null, about.slice(prefix.length)] : [ownedId(about), null];
}

/** The last event that one request looks through; undefined where it reaches the oldest. */
async function endOfSearch(client: ClientBase, start: Place | undefined, searched: number): Promise<Place | undefined> {
  const { rows } = await client.query<Place>(
    `SELECT (extract(epoch FROM occurred_at) * 1000000)::bigint::text AS us, id
     FROM billing.webhook_events
     WHERE $1::bigint IS NULL OR (occurred_at <= ${momentOf('$1')} AND (occurred_at < ${momentOf('$1')} OR id > $2))
     ORDER BY occurred_at DESC, id OFFSET $3 LIMIT 1`,
    [start?.us ?? null, start?.id ?? null, searched - 1],
  );
  return rows[0];
}

interface EventDetailRow extends EventRow {
  readonly livemode: boolean;
  readonly dismissed_by: string | null;
  readonly dismissal_reason: string | null;
  readonly changed_fields: string[] | null;
  readonly payload: unknown;
}

/** All that the ledger has of an event, and what became of its object; its payload only when asked for. */
export async function readEvent(
  client: ClientBase,
  { id, payload }: InspectionRequest<'event'>,
): Promise<InspectionReport<'event'>> {
  const { rows } = await client.query<EventDetailRow>(
    `SELECT ${COLUMNS}, livemode, dismissed_by, dismissal_reason, CASE WHEN $2 THEN payload END AS payload,
       CASE WHEN jsonb_typeof(payload #> '{data,previous_attributes}') = 'object'
         THEN ARRAY (SELECT jsonb_object_keys(payload #> '{data,previous_attributes}') ORDER BY 1) END AS changed_fields
     FROM billing.webhook_events AS event WHERE provider = ANY ($3::text[]) AND id = $1`,
    // With the provider, which the key of the ledger begins with.
    [id, payload, Object.keys(WEBHOOK_ENDPOINTS)],
  );
  const [row] = rows;
  if (row === undefined) return { action: 'event', event: null };
  const { livemode, dismissed_by: dismissedBy, dismissal_reason: dismissalReason } = row;
  const objects = row.object_id === null ? [] : await readObjects(client, row.id, row.object_id);
  const entitlements = row.object_id === null ? [] : await readGrants(client, row.object_id);
  return {
    action: 'event',
    event: {
      ...describeEvent(row),
      livemode,
      dismissedBy,
      dismissalReason,
      changedFields: row.changed_fields,
      objects,
      entitlements,
      payload: row.payload,
    },
  };
}

const KINDS = Object.keys(OBJECT_TABLES) as ObjectKind[];
const OBJECTS_OF_ID = KINDS.map((kind) => {
  const status = 'status' in OBJECT_COLUMNS[kind] ? 'status' : 'NULL';
  return `SELECT '${kind}' AS kind, ${status}::text AS status, version FROM billing.${OBJECT_TABLES[kind]} WHERE id = $1`;
}).join('\nUNION ALL ');

/** The stored states of the object, and whether they are the event's. */
async function readObjects(client: ClientBase, eventId: string, objectId: string): Promise<EventDetail['objects']> {
  const { rows } = await client.query<{ kind: ObjectKind; status: string | null; version: string }>(OBJECTS_OF_ID, [
    objectId,
  ]);
  return rows.map(({ kind, status, version }) => {
    const origins = eventIdsOf(version);
    return { kind, id: objectId, status, isOfThisEvent: origins.includes(eventId), originEvents: origins };
  });
}

/** What the object grants now. */
async function readGrants(client: ClientBase, objectId: string): Promise<EventDetail['entitlements']> {
  const { rows } = await client.query<{
    user_id: string;
    project_id: string;
    feature: string;
    valid_until: Date | null;
  }>(
    `SELECT user_id, project_id, feature, valid_until FROM billing.entitlements WHERE source_id = $1
     ORDER BY user_id, project_id, feature LIMIT 50`,
    [objectId],
  );
  return rows.map((row) => ({
    userId: row.user_id,
    projectId: row.project_id,
    feature: row.feature,
    validUntil: row.valid_until?.toISOString() ?? null,
  }));
}

function describeEvent(row: EventRow): ListedEvent {
  const { id, provider, type, status, attempts, error, source } = row;
  return {
    id,
    provider,
    type,
    status,
    attempts,
    error,
    source,
    apiVersion: row.api_version,
    objectId: row.object_id,
    customerId: row.customer_id,
    subscriptionId: row.subscription_id,
    appId: row.app_id,
    occurredAt: row.occurred_at.toISOString(),
    receivedAt: row.received_at.toISOString(),
    processedAt: row.processed_at?.toISOString() ?? null,
  };
}
