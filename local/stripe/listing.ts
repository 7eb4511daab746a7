/** Rules of Stripe's list endpoints that hold for every kind of object: parameters, filters and paging. */

/** What Stripe answers a bad request with; becomes the `error` of the body. */
export class StripeRefusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly details: { readonly type?: string; readonly code?: string; readonly param?: string } = {},
  ) {
    super(message);
    this.name = 'StripeRefusal';
  }
}

/** Parameters of a request. `created[gte]` is one name; `types[]` and `types[0]` both give `types`, a list. */
export class Parameters {
  private readonly values = new Map<string, string[]>();

  /** @throws StripeRefusal naming the first parameter that is not in `known`, as Stripe does */
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
export const LIST_PARAMETERS = ['limit', 'starting_after', 'ending_before', 'created'].concat(
  ['gt', 'gte', 'lt', 'lte'].map((bound) => `created[${bound}]`),
);

const DEFAULT_LIMIT = 10;
const MAX_LIMIT = 100;

/** Whether an object of this time passes the `created` filters. */
export function createdFilter(parameters: Parameters): (object: { created: number }) => boolean {
  const bounds = [
    [parameters.integer('created'), (created: number, bound: number) => created === bound],
    [parameters.integer('created[gt]'), (created: number, bound: number) => created > bound],
    [parameters.integer('created[gte]'), (created: number, bound: number) => created >= bound],
    [parameters.integer('created[lt]'), (created: number, bound: number) => created < bound],
    [parameters.integer('created[lte]'), (created: number, bound: number) => created <= bound],
  ] as const;
  return ({ created }) => bounds.every(([bound, holds]) => bound === undefined || holds(created, bound));
}

/** The page that `limit` and the cursors ask for, of objects that come newest first. */
export function pageOf<T extends { id: string }>(
  newestFirst: readonly T[],
  parameters: Parameters,
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
  const positionOf = (id: string, param: string): number => {
    const position = newestFirst.findIndex((object) => object.id === id);
    if (position < 0) throw new StripeRefusal(400, `No such object: '${id}'`, { code: 'resource_missing', param });
    return position;
  };
  if (before !== undefined) {
    const end = positionOf(before, 'ending_before');
    const start = Math.max(0, end - limit);
    return { data: newestFirst.slice(start, end), has_more: start > 0 };
  }
  const start = after === undefined ? 0 : positionOf(after, 'starting_after') + 1;
  return { data: newestFirst.slice(start, start + limit), has_more: start + limit < newestFirst.length };
}
