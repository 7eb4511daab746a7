import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LOOPBACK } from './ports';

/** An HTTP server on loopback. */
export interface HttpServer {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  readonly port: number;
  /** Cuts all connections and resolves when the port is free. */
  readonly stop: () => Promise<void>;
}

/** Answers one request. What it throws is the handler's bug: the sender's connection is cut. */
export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/**
 * Serves HTTP on loopback.
 *
 * @param port @default a free one
 * @throws with code `EADDRINUSE` when the given port is taken
 */
export async function startHttpServer(handler: RequestHandler, port = 0): Promise<HttpServer> {
  const server = createServer((request, response) => {
    handler(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, LOOPBACK, resolve);
  });
  const { port: listeningPort } = server.address() as AddressInfo;
  return {
    url: `http://${LOOPBACK}:${listeningPort}`,
    port: listeningPort,
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** What a path may consist of, by RFC 3986; percent signs are checked by decoding. */
const PATH = /^[A-Za-z0-9\-._~%!$&'()*+,;=:@/]+$/;

/**
 * The URL of a request, or undefined when its path is malformed, as in `GET //[` or `GET /%zz`: the answer to that is 400.
 * The path stays percent-encoded, as it was sent.
 */
export function requestUrl({ url = '/' }: IncomingMessage): URL | undefined {
  // Appended to an origin: resolved against one, "//host/path" would name another host.
  const parsed = url.startsWith('/') ? URL.parse(`http://localhost${url}`) : URL.parse(url);
  if (parsed === null || !PATH.test(parsed.pathname)) return undefined;
  try {
    decodeURIComponent(parsed.pathname);
    return parsed;
  } catch {
    return undefined;
  }
}

/** The whole body of a request, or undefined when it is larger than `maxBytes`. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    // What exceeds the limit is read and dropped, so that the sender gets an answer instead of a broken connection.
    if (size <= maxBytes) chunks.push(chunk as Buffer);
  }
  return size <= maxBytes ? Buffer.concat(chunks) : undefined;
}
