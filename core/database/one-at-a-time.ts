import type { Client } from 'pg';

/**
 * Lets several pieces of work share a connection that query it independently of one another: a query waits for the one before
 * it. The driver's own queue for this is deprecated, and its version 9 is to refuse a query while another one runs.
 *
 * @param client its queries are awaited: neither callbacks nor streams
 * @returns the same connection
 */
export function oneAtATime(client: Client): Client {
  const query = client.query.bind(client) as (...parameters: unknown[]) => Promise<unknown>;
  let last: Promise<unknown> = Promise.resolve();
  const queued = (...parameters: unknown[]): Promise<unknown> => {
    const answer = last.then(() => query(...parameters));
    last = answer.catch(() => undefined);
    return answer;
  };
  return Object.assign(client, { query: queued as Client['query'] });
}
