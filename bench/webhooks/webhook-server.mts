/**
 * The bundled webhook function behind HTTP, as API Gateway would call it, in a process of its own. Argument: the
 * bundle's folder. Tells its port to its parent, answers any message with the CPU that it used, and ends with it.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

type Handler = (request: object) => Promise<{ statusCode: number; body: string }>;

const [folder = ''] = process.argv.slice(2);
const { handler } = createRequire(import.meta.url)(join(folder, 'index.js')) as { handler: Handler };

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString('base64');
  const result = await handler({ resource: request.url, headers: request.headers, body, isBase64Encoded: true });
  response.writeHead(result.statusCode, { 'content-type': 'application/json' });
  response.end(result.body);
}

const server = createServer((request, response) => void answer(request, response));
// A connection that is closed while a request is on its way would count as a refusal.
server.keepAliveTimeout = 0;
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('message', () => process.send?.(process.cpuUsage()));
process.on('disconnect', () => process.exit(0));
