import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { messageOf, OperationError } from '../../runtime/errors';
import { HeldSecret, type Renew } from '../../runtime/held-secret';

/** The secret with the credentials of a node's JSON-RPC. */
export const nodeSecret = z.object({
  username: z.string({ error: 'expected the `rpcuser` of the node' }).min(1, 'expected the `rpcuser` of the node'),
  password: z.string({ error: 'expected the `rpcpassword` of the node' }).min(1, 'expected the node’s password'),
  ca: z
    .string()
    .startsWith('-----BEGIN CERTIFICATE-----', 'expected a certificate as PEM')
    .optional()
    .describe('Certificate that signed that of the node, such as `rpc.cert` of btcd. Left out: public authorities.'),
});
export type NodeCredentials = z.infer<typeof nodeSecret>;

export interface RpcCall {
  readonly method: string;
  readonly params: readonly unknown[];
}

/** What the node answered to one call. */
export type RpcAnswer =
  | { readonly result: unknown }
  | { readonly error: { readonly code: number; readonly message: string } };

/** Sends calls, all of them in one request, and answers in their order. */
export type Rpc = (calls: readonly RpcCall[]) => Promise<RpcAnswer[]>;

export interface RpcOptions {
  /** `https://…`, or `http://…` where the network between is trusted. */
  readonly url: string;
  readonly credentials: NodeCredentials;
  /** Looks for other credentials when the node refuses these: they are being changed. @default nothing replaces them */
  readonly renew?: Renew<NodeCredentials>;
  /** Milliseconds without a byte after which the node counts as unreachable. @default 30 s: a large block is a second's work */
  readonly timeoutMs?: number;
  /** Milliseconds before the second and the third attempt. @default 500 and 2,000 */
  readonly pausesMs?: readonly number[];
  /** Aborted when the time is up: what is not answered then is given up. @default never */
  readonly signal?: AbortSignal;
}

/**
 * Largest answer, in bytes: a block with every input and output is about 15 MB, a mempool of a million ids 70. What sends more is
 * no node, and would end the function for lack of memory.
 */
const MAX_ANSWER_BYTES = 128 * 1024 * 1024;
const UNAUTHORISED = 401;
/** Such as for an address that the node does not admit. */
const FORBIDDEN = 403;
/** Times that one request is sent again with other credentials: those that are current now, and those before. */
const MAX_RENEWALS = 2;
/** Error codes of a node that has just been started: Bitcoin Core's RPC_IN_WARMUP, and btcd's. */
const WARMING_UP = -28;

const answerShape = z.object({
  id: z.int(),
  result: z.unknown().optional(),
  error: z.object({ code: z.number(), message: z.string() }).nullish(),
});

/**
 * A node's JSON-RPC, by batches of JSON-RPC 2.0, which Bitcoin Core and btcd both understand.
 *
 * The calls throw OperationError `node_unreachable` (retryable) when the node does not answer in three attempts or is still
 * starting, and `node_refused` when it rejects the credentials or is no Bitcoin node.
 */
export function createRpc(options: RpcOptions): Rpc {
  const { url, credentials, renew, timeoutMs = 30_000, pausesMs = [500, 2_000], signal } = options;
  const held = new HeldSecret(credentials, renew);
  return async (calls) => {
    if (calls.length === 0) return [];
    const body = JSON.stringify(calls.map((call, id) => ({ jsonrpc: '2.0', id, ...call })));
    for (let attempt = 0; ; attempt += 1) {
      try {
        return inOrder(await postAs(held, { url, timeoutMs, signal, body }), calls);
      } catch (error) {
        const pauseMs = pausesMs[attempt];
        const isTransient = error instanceof OperationError && error.code === 'node_unreachable';
        if (!isTransient || pauseMs === undefined || signal?.aborted) throw error;
        await sleep(pauseMs);
      }
    }
  };
}

function inOrder(text: string, calls: readonly RpcCall[]): RpcAnswer[] {
  let parsed;
  try {
    parsed = z.array(answerShape).parse(JSON.parse(text));
  } catch (cause) {
    throw new OperationError('node_refused', `The node did not answer a batch of JSON-RPC: ${text.slice(0, 200)}`, {
      cause,
    });
  }
  const byId = new Map(parsed.map((answer) => [answer.id, answer]));
  return calls.map(({ method }, id) => {
    const answer = byId.get(id);
    if (!answer) throw new OperationError('node_refused', `The node left ${method} out of its answer to a batch`);
    if (answer.error?.code === WARMING_UP) {
      throw new OperationError('node_unreachable', `The node is still starting: ${answer.error.message}`);
    }
    return answer.error ? { error: answer.error } : { result: answer.result };
  });
}

type Request = Pick<RpcOptions, 'url' | 'signal'> & { readonly timeoutMs: number; readonly body: string };

/** Posts with the credentials that the node takes: during a change those of before, or those that it was given meanwhile. */
async function postAs(held: HeldSecret<NodeCredentials>, request: Request): Promise<string> {
  for (let renewals = 0; ; renewals += 1) {
    const credentials = held.value;
    const { status, text } = await post(request, credentials);
    if (status === UNAUTHORISED && renewals < MAX_RENEWALS && (await held.replace(credentials))) continue;
    if (status === UNAUTHORISED || status === FORBIDDEN) {
      throw new OperationError(
        'node_refused',
        `The node answered ${status}: check user and password in the secret, and that it admits this address (\`rpcallowip\`)`,
      );
    }
    // Bitcoin Core answers 500 to a call that failed by itself, with the reason as JSON; never to a batch.
    if (status !== 200)
      throw new OperationError('node_unreachable', `The node answered ${status} ${text.slice(0, 200)}`);
    return text;
  }
}

async function post(
  { url, timeoutMs, signal, body }: Request,
  { username, password, ca }: NodeCredentials,
): Promise<{ readonly status: number; readonly text: string }> {
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
  };
  const send = url.startsWith('https:') ? requestHttps : requestHttp;
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const request = send(
      url,
      { method: 'POST', headers, timeout: timeoutMs, ca, ...(signal && { signal }) },
      (answer) => {
        readAll(answer).then((content) => resolve({ status: answer.statusCode ?? 0, text: content }), reject);
      },
    );
    request.on('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    request.on('error', reject);
    request.end(body);
  }).catch((cause: unknown) => {
    if (cause instanceof OperationError) throw cause;
    throw new OperationError('node_unreachable', `The node did not answer: ${messageOf(cause)}`, { cause });
  });
}

async function readAll(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) {
      answer.destroy();
      throw new OperationError('node_refused', `The node answered more than ${MAX_ANSWER_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
