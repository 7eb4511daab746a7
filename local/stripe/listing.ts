import type { Collection } from './collection';

/** Rules of all of Stripe's list endpoints: parameters, filters and paging. */

/** An error that Stripe answers; becomes `error` of the body. */
export class StripeRefusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly details: { readonly type?: string; readonly code?: string; readonly param?: string } = {},
    /** Sent as the `Retry-After` header. */
    readonly retryAfterSeconds?: number,
  ) {
    super(message);
    this.name = 'StripeRefusal';
  }
}

/** Parameters of a request. `created[gte]` is a name of its own; `types[]` and `types[0]` add to the list `types`. */
export class Parameters {
  private readonly values = new Map<string, string[]>();

  /** @throws StripeRefusal that names the first parameter not in `known`, as Stripe does */
  constructor(query: URLSearchParams, known: readonly string[]) {
    for (const [key, value] of query) {
      const name = key.replace(/\[\d*\]$/, '');
      if (!known.includes(name)) {
        const details = { code: 'parameter_unknown', param: key };
        throw new StripeRefusal(400, `Received unknown parameter: ${key}`, details);
      }
      this.values.set(name, [...(this.values.get(name) ?? []), value]);
    }
  }

  get(name: string): string | undefined {
    return this.values.get(name)?.at(-1);
  }

  list(name: string): readonly string[] | undefined {
    return this.values.get(name);
  }

  integer(name: string): number | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    if (!/^\d+$/.test(value)) {
      throw new StripeRefusal(400, `Invalid integer: ${value}`, { code: 'parameter_invalid_integer', param: name });
    }
    return Number(value);
  }
}

/** Parameters of every list. */
export const LIST_PARAMETERS = ['limit', 'starting_after', 'ending_before', 'created', 'expand'].concat(
  ['gt', 'gte', 'lt', 'lte'].map((bound) => `created[${bound}]`),
);

const DEFAULT_LIMIT = 10;
const MAX_LIMIT = 100;

/** The `created` filters as bounds in whole seconds, both inclusive. */
export function createdBounds(parameters: Parameters): { from: number; to: number } {
  const exactly = parameters.integer('created');
  const [after, before] = [parameters.integer('created[gt]'), parameters.integer('created[lt]')];
  return {
    from: Math.max(exactly ?? 0, after === undefined ? 0 : after + 1, parameters.integer('created[gte]') ?? 0),
    to: Math.min(
      exactly ?? Number.POSITIVE_INFINITY,
      before === undefined ? Number.POSITIVE_INFINITY : before - 1,
      parameters.integer('created[lte]') ?? Number.POSITIVE_INFINITY,
    ),
  };
}

/**
 * The page that `limit`, the cursors and the `created` filters select, newest first.
 *
 * @param earliest creation time from which objects are listed, in seconds since 1970
 */
export function pageOf<T extends { id: string; created: number }>(
  collection: Collection<T>,
  matches: (object: T) => boolean,
  parameters: Parameters,
  earliest = 0,
): { data: T[]; has_more: boolean } {
  const limit = parameters.integer('limit') ?? DEFAULT_LIMIT;
  if (limit < 1 || limit > MAX_LIMIT) {
    const message = `This value must be greater than or equal to 1 and at most ${MAX_LIMIT}`;
    throw new StripeRefusal(400, message, { code: 'parameter_invalid_integer', param: 'limit' });
  }
  const [after, before] = [parameters.get('starting_after'), parameters.get('ending_before')];
  if (after !== undefined && before !== undefined) {
    throw new StripeRefusal(400, 'You can only specify one of these parameters: starting_after, ending_before.');
  }
  for (const [param, id] of Object.entries({ starting_after: after, ending_before: before })) {
    if (id !== undefined && (collection.get(id)?.created ?? -1) < earliest) {
      throw new StripeRefusal(400, `No such object: '${id}'`, { code: 'resource_missing', param });
    }
  }
  const bounds = createdBounds(parameters);
  bounds.from = Math.max(bounds.from, earliest);
  const listed = (object: T): boolean =>
    object.created >= bounds.from && object.created <= bounds.to && matches(object);
  const candidates = before === undefined ? collection.olderThan(after, bounds) : collection.newerThan(before);
  const data: T[] = [];
  for (const object of candidates) {
    if (!listed(object)) continue;
    // One object beyond the page shows that there is more.
    if (data.length === limit) return { data: before === undefined ? data : data.toReversed(), has_more: true };
    data.push(object);
  }
  return { data: before === undefined ? data : data.toReversed(), has_more: false };
}
