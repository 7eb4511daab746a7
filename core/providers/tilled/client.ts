import { setTimeout as wait } from 'node:timers/promises';
import * as z from 'zod';
import { messageOf, OperationError } from '../../runtime/errors';
import { HeldSecret, type Renew } from '../../runtime/held-secret';

const TIMEOUT_MS = 20_000;
const MAX_ATTEMPTS = 6;
const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 30_000;
/** Tilled documents no limit. Higher may take from the application what serves customers; lower reads long lists for longer. */
const CALLS_PER_SECOND = 10;
/** Tilled answers with fewer where this is more than it allows. */
const PAGE_SIZE = 100;

/** Tilled's answer to a key that it does not know, or no longer. */
const UNAUTHENTICATED = 401;

const keyForm = 'expected a secret API key of Tilled';
const accountsForm = 'expected the ids of the accounts whose events are compared, the partner account first';
const account = z.string({ error: accountsForm }).regex(/^[A-Za-z0-9_-]{1,248}$/, accountsForm);

/** JSON of the secret with the API key: `{"apiKey": "sk_…", "accounts": ["acct_…"]}`. */
export const tilledApiSecret = z.object({
  apiKey: z.string({ error: keyForm }).trim().min(1, keyForm),
  accounts: z
    .array(account, { error: accountsForm })
    .min(1, accountsForm)
    .max(1_000, 'expected at most 1,000 accounts'),
});

export type TilledApiSecret = z.infer<typeof tilledApiSecret>;

/** An event as Tilled lists it; only its id was checked. */
export type ListedTilledEvent = Readonly<Record<string, unknown>> & { readonly id: string };

export interface TilledEventPage {
  readonly items: readonly ListedTilledEvent[];
  readonly hasMore: boolean;
}

/** A part of an account's events: from `gte` on and before `lt`, in seconds since 1970, from the item `offset` on. */
export interface TilledEventQuery {
  readonly gte?: number | undefined;
  readonly lt?: number | undefined;
  readonly offset: number;
}

/**
 * What the platform asks of Tilled. Every call throws OperationError `tilled_unavailable` (retryable) after its last attempt, and
 * `tilled_refused` at once when Tilled rejects the request or the key.
 */
export interface TilledApi {
  /** Ids of the accounts whose events are compared. */
  readonly accounts: readonly string[];
  /** Tilled lists events for 30 days at least. */
  listEvents(accountId: string, query: TilledEventQuery): Promise<TilledEventPage>;
  /** `undefined` when none of the accounts has the event. */
  retrieveEvent(id: string): Promise<ListedTilledEvent | undefined>;
}

/** Tilled's API, opened when it is needed; `undefined` where the environment takes no Tilled. */
export type OpenTilled = () => Promise<TilledApi | undefined>;

/** Of an environment that takes no Tilled. */
export const noTilled: OpenTilled = () => Promise.resolve(undefined);

export interface TilledOptions {
  /** Looks for another secret when Tilled refuses the key: it was replaced. @default nothing replaces it */
  readonly renew?: Renew<TilledApiSecret>;
  /** `https://api.tilled.com`, or `https://sandbox-api.tilled.com`, or the URL of a stand-in. */
  readonly apiBase: string;
  /** Aborted when the time is up: requests and pauses end with an `AbortError`. @default never */
  readonly stop?: AbortSignal;
  /** @default 500; doubled with each attempt */
  readonly firstBackoffMs?: number;
  /** @default 10 */
  readonly callsPerSecond?: number;
}

const listedEvent = z.looseObject({ id: z.string({ error: 'expected an event id' }).min(1).max(250) });
const eventList = z.object({ items: z.array(listedEvent), has_more: z.boolean() });

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly retryAfterMs: number | undefined;
}

/** A client of Tilled's API that keeps its pace, and retries what may succeed later. */
export function createTilled(secret: TilledApiSecret, options: TilledOptions): TilledApi {
  const get = pacedRequests(new HeldSecret(secret, options.renew), options);
  return {
    accounts: secret.accounts,
    async listEvents(accountId, { gte, lt, offset }) {
      const query = new URLSearchParams({ offset: String(offset), limit: String(PAGE_SIZE) });
      if (gte !== undefined) query.set('created_at_gte', new Date(gte * 1000).toISOString());
      // The later bound is inclusive at Tilled.
      if (lt !== undefined) query.set('created_at_lte', new Date(lt * 1000 - 1).toISOString());
      const { items, has_more: hasMore } = read(eventList, await get(`/v1/events?${query.toString()}`, accountId));
      return { items, hasMore };
    },
    async retrieveEvent(id) {
      for (const accountId of secret.accounts) {
        const answer = await get(`/v1/events/${encodeURIComponent(id)}`, accountId, [404]);
        if (answer.status !== 404) return read(listedEvent, answer);
      }
      return undefined;
    },
  };
}

/** @param accepted statuses besides 200 that the caller understands */
type Get = (path: string, accountId: string, accepted?: readonly number[]) => Promise<Answer>;

function pacedRequests(held: HeldSecret<TilledApiSecret>, options: TilledOptions): Get {
  const { stop, firstBackoffMs = FIRST_BACKOFF_MS, callsPerSecond = CALLS_PER_SECOND } = options;
  let nextCallAtMs = 0;
  return async (path, accountId, accepted = []) => {
    let isRenewed = false;
    for (let attempt = 1; ; attempt += 1) {
      const pauseMs = nextCallAtMs - Date.now();
      if (pauseMs > 0) await wait(pauseMs, undefined, { signal: stop });
      nextCallAtMs = Date.now() + 1000 / callsPerSecond;
      const secret = held.value;
      const answer = await send(path, accountId, secret.apiKey, options).catch((error: unknown) => {
        stop?.throwIfAborted();
        return error;
      });
      if (isAnswer(answer)) {
        if (answer.status === 200 || accepted.includes(answer.status)) return answer;
        if (answer.status === UNAUTHENTICATED && !isRenewed && (isRenewed = await held.replace(secret))) continue;
        if (!mayPass(answer.status)) {
          throw new OperationError('tilled_refused', `Tilled refused ${path} of ${accountId}: ${reasonOf(answer)}`);
        }
      }
      if (attempt === MAX_ATTEMPTS) {
        const reason = isAnswer(answer) ? reasonOf(answer) : messageOf(answer);
        throw new OperationError(
          'tilled_unavailable',
          `Tilled did not answer in ${MAX_ATTEMPTS} attempts: ${reason}; see its status page`,
          { cause: answer },
        );
      }
      const backoffMs = Math.min(firstBackoffMs * 2 ** (attempt - 1), LONGEST_BACKOFF_MS);
      nextCallAtMs = Date.now() + ((isAnswer(answer) ? answer.retryAfterMs : undefined) ?? backoffMs);
    }
  };
}

async function send(
  path: string,
  accountId: string,
  apiKey: string,
  { apiBase, stop }: TilledOptions,
): Promise<Answer> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(new URL(path, apiBase), {
    headers: { 'tilled-api-key': apiKey, 'tilled-account': accountId, accept: 'application/json' },
    // A redirect would take the key to another host.
    redirect: 'manual',
    signal: stop === undefined ? timeout : AbortSignal.any([stop, timeout]),
  });
  const text = await response.text();
  const seconds = Number(response.headers.get('retry-after'));
  return {
    status: response.status,
    body: parsed(text),
    retryAfterMs: seconds > 0 ? Math.min(seconds * 1000, LONGEST_BACKOFF_MS) : undefined,
  };
}

/** What is no JSON, such as a gateway's page, is kept as text. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

const isAnswer = (value: unknown): value is Answer => typeof value === 'object' && value !== null && 'status' in value;

const mayPass = (status: number): boolean => status === 408 || status === 409 || status === 429 || status >= 500;

function reasonOf({ status, body }: Answer): string {
  const message = (body as { readonly message?: unknown } | null)?.message;
  return typeof message === 'string' ? `${status} ${message.slice(0, 200)}` : String(status);
}

function read<Schema extends z.ZodType>(schema: Schema, { body }: Answer): z.infer<Schema> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue?.path.join('.') ?? '';
  throw new OperationError('tilled_refused', `Tilled answered in another form, at \`${field}\`: ${issue?.message}`);
}
