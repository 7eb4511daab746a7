import { ResponseType, type RestApi } from 'aws-cdk-lib/aws-apigateway';
import { API_PROBLEMS, type ApiProblemCode } from '../../lambdas/api/contract';

/** Of every answer. Values are literals between single quotes, which a content security policy has inside: JSON needs none. */
const HEADERS: Readonly<Record<string, string>> = {
  'Content-Type': "'application/problem+json'",
  'Cache-Control': "'no-store'",
  'Referrer-Policy': "'no-referrer'",
  'Strict-Transport-Security': "'max-age=63072000; includeSubDomains'",
  'X-Content-Type-Options': "'nosniff'",
  'X-Frame-Options': "'DENY'",
};

interface GatewayAnswer {
  readonly type: ResponseType;
  readonly code: ApiProblemCode;
  readonly title: string;
  /** @default - the meaning of the code */
  readonly detail?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether the status is that of the code; else API Gateway's own stays, of which the type has several. */
  readonly hasStatus: boolean;
}

/** What API Gateway answers itself, before a function runs or when none answered. */
const ANSWERS: readonly GatewayAnswer[] = [
  // A path or method that no route has; API Gateway's own answer is 403 and speaks of a token that nobody needs.
  { type: ResponseType.MISSING_AUTHENTICATION_TOKEN, code: 'not_found', title: 'Not Found', hasStatus: true },
  { type: ResponseType.RESOURCE_NOT_FOUND, code: 'not_found', title: 'Not Found', hasStatus: true },
  {
    type: ResponseType.REQUEST_TOO_LARGE,
    code: 'payload_too_large',
    title: 'Content Too Large',
    detail: 'The request is larger than the 10 MB that API Gateway takes.',
    hasStatus: true,
  },
  {
    type: ResponseType.THROTTLED,
    code: 'throttled',
    title: 'Too Many Requests',
    headers: { 'Retry-After': "'1'" },
    hasStatus: true,
  },
  { type: ResponseType.WAF_FILTERED, code: 'blocked', title: 'Forbidden', hasStatus: true },
  { type: ResponseType.INTEGRATION_TIMEOUT, code: 'still_running', title: 'Gateway Timeout', hasStatus: true },
  { type: ResponseType.DEFAULT_4XX, code: 'refused', title: 'Client Error', hasStatus: false },
  { type: ResponseType.DEFAULT_5XX, code: 'not_answered', title: 'Server Error', hasStatus: false },
];

/**
 * Gives the answers that API Gateway makes itself the form and the headers of the API's, but for `Content-Security-Policy` and
 * `Cross-Origin-Resource-Policy`: problem details that repeat nothing of the request. Stripe and Tilled look at the status alone, which stays 4xx or 5xx as it was.
 */
export function addGatewayAnswers(api: RestApi): void {
  for (const { type, code, title, detail, headers, hasStatus } of ANSWERS) {
    const { status, meaning } = API_PROBLEMS[code];
    const body = { type: 'about:blank', title, ...(hasStatus && { status }), code, detail: detail ?? meaning };
    api.addGatewayResponse(`Answer-${type.responseType}`, {
      type,
      ...(hasStatus && { statusCode: String(status) }),
      responseHeaders: { ...HEADERS, ...headers },
      templates: { 'application/json': JSON.stringify(body) },
    });
  }
}
