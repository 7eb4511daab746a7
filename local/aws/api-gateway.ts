import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { readBody, requestUrl, startHttpServer, type HttpServer } from '../runtime/http-server';
import { LOOPBACK } from '../runtime/ports';
import type { RestApi, Route } from '../template/routes';

/** Calls the function of a route. */
export type InvokeFunction = (functionArn: string, event: APIGatewayProxyEvent) => Promise<unknown>;

export interface ApiGatewayOptions {
  readonly api: RestApi;
  readonly invoke: InvokeFunction;
  /** @default a free one */
  readonly port?: number;
  /** Receives the reason of each failure that the caller only sees as 502. */
  readonly log: (message: string) => void;
}

/** Largest request that API Gateway takes, in bytes. */
const MAX_REQUEST_BYTES = 10 * 1024 * 1024;

/** A request that API Gateway answers itself, without the function; case, status and message are API Gateway's. */
class Refusal extends Error {
  constructor(
    readonly type: 'DEFAULT_4XX' | 'DEFAULT_5XX' | 'MISSING_AUTHENTICATION_TOKEN' | 'REQUEST_TOO_LARGE',
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** By the pattern of their route. */
const expressions = new Map<string, RegExp>();

function expressionOf(pattern: string): RegExp {
  const expression = pattern
    .replace(/[.*()[\]\\^$|?]/g, '\\$&')
    .replace(/\{(\w+)\+\}/g, '(?<$1>.+)')
    .replace(/\{(\w+)\}/g, '(?<$1>[^/]+)');
  return new RegExp(`^${expression}$`);
}

/** Parameters of a path that matches a route's pattern, or undefined. */
function match(pattern: string, path: string): Record<string, string> | undefined {
  const known = expressions.get(pattern) ?? expressionOf(pattern);
  expressions.set(pattern, known);
  const found = known.exec(path);
  return found === null ? undefined : { ...found.groups };
}

function isBinary(contentType: string, binaryMediaTypes: readonly string[]): boolean {
  const [type = '', subtype = ''] = (contentType.split(';')[0] ?? '').trim().toLowerCase().split('/');
  return binaryMediaTypes.some((media) => {
    const [wantedType, wantedSubtype] = media.split('/');
    return (wantedType === '*' || wantedType === type) && (wantedSubtype === '*' || wantedSubtype === subtype);
  });
}

/** Headers in the sender's case: the last value of each, and all values. */
function headersOf({ rawHeaders }: IncomingMessage): Pick<APIGatewayProxyEvent, 'headers' | 'multiValueHeaders'> {
  const multiValueHeaders: Record<string, string[]> = {};
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const [name = '', value = ''] = rawHeaders.slice(index, index + 2);
    (multiValueHeaders[name] ??= []).push(value);
  }
  const headers = Object.fromEntries(Object.entries(multiValueHeaders).map(([name, values]) => [name, values.at(-1)]));
  return { headers, multiValueHeaders };
}

function queryOf(url: URL): Pick<APIGatewayProxyEvent, 'queryStringParameters' | 'multiValueQueryStringParameters'> {
  if (url.search === '') return { queryStringParameters: null, multiValueQueryStringParameters: null };
  const names = [...new Set(url.searchParams.keys())];
  return {
    queryStringParameters: Object.fromEntries(names.map((name) => [name, url.searchParams.getAll(name).at(-1)])),
    multiValueQueryStringParameters: Object.fromEntries(names.map((name) => [name, url.searchParams.getAll(name)])),
  };
}

interface RoutedRequest {
  readonly request: IncomingMessage;
  readonly url: URL;
  readonly route: Route;
  readonly pathParameters: Record<string, string>;
  readonly body: Buffer;
}

/** The event of a Lambda proxy integration, payload version 1.0. */
function eventOf(
  { request, url, route, pathParameters, body }: RoutedRequest,
  binaryMediaTypes: readonly string[],
): APIGatewayProxyEvent {
  const binary = isBinary(request.headers['content-type'] ?? '', binaryMediaTypes);
  const now = new Date();
  const method = request.method ?? 'GET';
  return {
    resource: route.path,
    path: url.pathname,
    httpMethod: method,
    ...headersOf(request),
    ...queryOf(url),
    pathParameters: Object.keys(pathParameters).length === 0 ? null : pathParameters,
    stageVariables: null,
    body: body.length === 0 ? null : body.toString(binary ? 'base64' : 'utf8'),
    isBase64Encoded: binary && body.length > 0,
    requestContext: {
      accountId: '000000000000',
      apiId: 'local',
      authorizer: null,
      httpMethod: method,
      identity: {
        accessKey: null,
        accountId: null,
        apiKey: null,
        apiKeyId: null,
        caller: null,
        clientCert: null,
        cognitoAuthenticationProvider: null,
        cognitoAuthenticationType: null,
        cognitoIdentityId: null,
        cognitoIdentityPoolId: null,
        principalOrgId: null,
        sourceIp: request.socket.remoteAddress ?? LOOPBACK,
        user: null,
        userAgent: request.headers['user-agent'] ?? null,
        userArn: null,
      },
      path: url.pathname,
      protocol: `HTTP/${request.httpVersion}`,
      requestId: randomUUID(),
      requestTime: now.toISOString(),
      requestTimeEpoch: now.getTime(),
      resourceId: 'local',
      resourcePath: route.path,
      stage: 'local',
    },
  };
}

function send(response: ServerResponse, result: APIGatewayProxyResult): void {
  for (const [name, value] of Object.entries(result.headers ?? {})) response.setHeader(name, String(value));
  for (const [name, values] of Object.entries(result.multiValueHeaders ?? {})) {
    response.setHeader(name, values.map(String));
  }
  response.statusCode = result.statusCode;
  // A text goes out in one write with the headers.
  response.end(result.isBase64Encoded === true ? Buffer.from(result.body, 'base64') : result.body);
}

function isProxyResult(value: unknown): value is APIGatewayProxyResult {
  return typeof value === 'object' && value !== null && Number.isInteger((value as APIGatewayProxyResult).statusCode);
}

/** The answer of the route's function. @throws Refusal for what API Gateway answers itself */
async function answerOf(
  { api, invoke }: ApiGatewayOptions,
  request: IncomingMessage,
  url: URL,
): Promise<APIGatewayProxyResult> {
  const body = await readBody(request, MAX_REQUEST_BYTES);
  if (body === undefined) throw new Refusal('REQUEST_TOO_LARGE', 413, 'Request Too Long');
  for (const route of api.routes) {
    const pathParameters = match(route.path, url.pathname);
    if (pathParameters === undefined || (route.method !== 'ANY' && route.method !== request.method)) continue;
    const event = eventOf({ request, url, route, pathParameters, body }, api.binaryMediaTypes);
    const result = await invoke(route.functionArn, event);
    if (!isProxyResult(result)) throw new TypeError('the function answered without a statusCode');
    return { ...result, body: result.body ?? '' };
  }
  throw new Refusal('MISSING_AUTHENTICATION_TOKEN', 403, 'Missing Authentication Token');
}

async function serve(options: ApiGatewayOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = requestUrl(request);
  try {
    if (url === undefined) throw new Refusal('DEFAULT_4XX', 400, 'Bad Request');
    send(response, await answerOf(options, request, url));
  } catch (error) {
    if (!(error instanceof Refusal)) options.log(`${request.method} ${url?.pathname}: ${(error as Error).message}`);
    const refusal = error instanceof Refusal ? error : new Refusal('DEFAULT_5XX', 502, 'Internal server error');
    const answer = options.api.answers?.[refusal.type];
    response.writeHead(answer?.status ?? refusal.status, { 'content-type': 'application/json', ...answer?.headers });
    response.end(answer?.body ?? JSON.stringify({ message: refusal.message }));
  }
}

/**
 * Starts a stand-in for a regional REST API of API Gateway, which serves the template's routes on loopback.
 *
 * @throws with code `EADDRINUSE` when the given port is taken
 */
export async function startApiGateway(options: ApiGatewayOptions): Promise<HttpServer> {
  return startHttpServer((request, response) => serve(options, request, response), options.port);
}
