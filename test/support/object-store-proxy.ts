import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A call to S3 on its way. */
export interface PassingCall {
  readonly method: string;
  /** With the query, which identifies the kind of call. */
  readonly path: string;
  /** Counted from 1. */
  readonly number: number;
}

/**
 * How a call ends: `refuse` answers 503, `reset` cuts the connection before S3 receives it, `lose` after S3 carried it out, so
 * that the caller does not know; `hang` accepts the call and never answers.
 */
export type Fate = 'pass' | 'refuse' | 'reset' | 'lose' | 'hang';

export interface ObjectStoreProxy {
  readonly endpoint: string;
  readonly calls: readonly PassingCall[];
  stop(): Promise<void>;
}

/** Starts a proxy between a client and an S3 server on loopback; `decide` says how each call ends. */
export async function startObjectStoreProxy(
  target: string,
  decide: (call: PassingCall) => Fate,
): Promise<ObjectStoreProxy> {
  const calls: PassingCall[] = [];
  const server = createServer((incoming, outgoing) => {
    const call = { method: incoming.method ?? '', path: incoming.url ?? '', number: calls.length + 1 };
    calls.push(call);
    const fate = decide(call);
    if (fate === 'refuse') {
      // Answered once the whole body was sent: an earlier answer would look like a broken connection.
      incoming.resume().on('end', () => outgoing.writeHead(503).end());
    } else if (fate === 'reset') incoming.socket.destroy();
    else if (fate === 'hang') incoming.resume();
    else forward(target, incoming, outgoing, fate === 'lose');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function forward(target: string, incoming: IncomingMessage, outgoing: ServerResponse, lose: boolean): void {
  const { hostname, port } = new URL(target);
  // With its own Host: the signature covers it.
  const { method, url: path, headers } = incoming;
  const onward = httpRequest({ hostname, port, method, path, headers }, (answer) => {
    if (lose) {
      answer.resume().on('end', () => incoming.socket.destroy());
      return;
    }
    outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
    answer.pipe(outgoing);
  });
  onward.on('error', () => incoming.socket.destroy());
  incoming.pipe(onward);
}

/** Numbers from 0 to 1 that look random and are the same in each run. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
