import type { IncomingMessage, ServerResponse } from 'node:http';
import { readBody, startHttpServer, type HttpServer } from '../runtime/http-server';

/** What the caller sent, as JSON. */
export type ServiceInput = Readonly<Record<string, unknown>>;

/** A refusal in the shape of AWS's JSON protocol; the SDK makes an exception of this name from it. */
export class ServiceError extends Error {
  constructor(
    readonly type: string,
    message: string,
  ) {
    super(message);
  }
}

export interface JsonServiceOptions {
  /** More than the service takes. */
  readonly maxRequestBytes: number;
  /** Carries out an action, such as `GetSecretValue`. @throws ServiceError */
  readonly act: (action: string, input: ServiceInput) => object;
}

async function readJson(request: IncomingMessage, maxRequestBytes: number): Promise<ServiceInput> {
  const body = await readBody(request, maxRequestBytes);
  if (body === undefined) throw new ServiceError('InvalidRequestException', `At most ${maxRequestBytes} bytes.`);
  try {
    return JSON.parse(body.toString('utf8')) as ServiceInput;
  } catch (error) {
    throw new ServiceError('SerializationException', (error as Error).message);
  }
}

async function serve(
  { maxRequestBytes, act }: JsonServiceOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let status = 200;
  let body: object;
  try {
    const [, action = ''] = String(request.headers['x-amz-target'] ?? '').split('.');
    body = act(action, await readJson(request, maxRequestBytes));
  } catch (error) {
    const known = error instanceof ServiceError;
    status = known ? 400 : 500;
    body = { __type: known ? error.type : 'InternalServiceError', message: (error as Error).message };
  }
  // Versions 1.0 and 1.1 of the protocol differ in nothing else here.
  response.writeHead(status, { 'content-type': request.headers['content-type'] ?? 'application/x-amz-json-1.1' });
  response.end(JSON.stringify(body));
}

/** Serves actions of an AWS service that speaks the JSON protocol, on a free port of loopback. */
export async function startJsonService(options: JsonServiceOptions): Promise<HttpServer> {
  return startHttpServer((request, response) => serve(options, request, response));
}
