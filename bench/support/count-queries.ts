import { StatementBurst } from '../../core/database/statement-burst';

/** A query as it was sent. */
export interface SentQuery {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** Counts the statements that clients of one copy of `pg` send, transaction control included. */
export interface QueryCounter {
  count: number;
  /** Keeps what is sent from now on, when set. */
  captured: SentQuery[] | undefined;
}

type Query = (this: unknown, config: unknown, values?: unknown, ...rest: unknown[]) => unknown;

const counters = new WeakMap<object, QueryCounter>();

/**
 * Counts where a client hands a statement over; contenders bring copies of `pg` of their own. Asked again for the same
 * copy, it returns the same counter.
 */
export function countQueries(client: { readonly prototype: { query: unknown } }): QueryCounter {
  const known = counters.get(client);
  if (known !== undefined) return known;
  const counter: QueryCounter = { count: 0, captured: undefined };
  counters.set(client, counter);
  const original = client.prototype.query as Query;
  const counting: Query = function (config, values, ...rest) {
    const sent = sentQueries(config, values);
    counter.count += sent.length;
    counter.captured?.push(...sent);
    return original.call(this, config, values, ...rest);
  };
  client.prototype.query = counting;
  return counter;
}

function sentQueries(config: unknown, values: unknown): SentQuery[] {
  if (config instanceof StatementBurst) {
    return config.calls.map((call) => ({ text: call.statement.text, values: call.values }));
  }
  return [sentQuery(config, values)];
}

function sentQuery(config: unknown, values: unknown): SentQuery {
  const given = Array.isArray(values) ? (values as unknown[]) : [];
  if (typeof config === 'string') return { text: config, values: given };
  const { text = '', values: own = given } = config as { text?: string; values?: unknown[] };
  return { text, values: own };
}
