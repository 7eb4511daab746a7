import type { CorpusText } from './card-corpus';
import { PLANTED_CARD } from './card-corpus';

const GROUPED = PLANTED_CARD.replaceAll(/(\d{4})(?=\d)/g, '$1 ');
const AT = '2026-11-29T10:20:30.123Z';
const REQUEST = '8f1c2d3e-4a5b-4c6d-8e7f-901234567890';
const TRACE = 'Root=1-6749a1b2-4532017112830362abcdef01;Parent=4532017112830366;Sampled=1';

/** A line as the logger of the functions writes it. */
const line = (fields: object): string =>
  JSON.stringify({
    level: 'INFO',
    message: 'Event processed',
    timestamp: AT,
    service: 'processor',
    cold_start: false,
    function_memory_size: 512,
    function_request_id: REQUEST,
    xray_trace_id: '1-6749a1b2-453201711283036200000000',
    ...fields,
  });
const escaped = (value: unknown): string => JSON.stringify(JSON.stringify(value)).slice(1, -1);

/** Lines with a card, as careless code and hostile requests leave them in logs. */
function planted(): CorpusText[] {
  const texts: Readonly<Record<string, readonly [text: string, code?: boolean]>> = {
    'the message': [line({ message: `Paid with ${GROUPED}` })],
    'the message, bare': [line({ message: `Cannot store ${PLANTED_CARD}` })],
    'a key named card': [line({ card: PLANTED_CARD })],
    'a number without quotes': [`{"level":"ERROR","pan":${PLANTED_CARD},"timestamp":"${AT}"}`],
    'a nested object with a code': [line({ payment: { number: PLANTED_CARD, cvc: '123' } }), true],
    'a body as a string of JSON': [
      line({ body: JSON.stringify({ card: { number: PLANTED_CARD, cvc: '987' } }) }),
      true,
    ],
    'a body escaped twice': [line({ event: { body: escaped({ number: GROUPED, name: 'x' }) } })],
    'a form': [line({ body: `number=${GROUPED.replaceAll(' ', '+')}&exp=12%2F28&cvc=123` }), true],
    'a query string': [`{"httpMethod":"GET","path":"/v1/pay?card=${PLANTED_CARD}","status":"404"}`],
    'an error and its stack': [
      line({
        level: 'ERROR',
        error: { name: 'Error', message: 'declined', stack: `Error: ${GROUPED}\n    at pay (/x.js:1:2)` },
      }),
    ],
    'a list': [line({ values: ['a', PLANTED_CARD, 'b'] })],
    'after a line break': [line({ message: `Dear all,\n${PLANTED_CARD}\nRegards` })],
    'a statement in the log of PostgreSQL': [
      `2026-11-29 10:20:30 UTC:10.0.1.12(45320):ann@billing:[4711]:LOG:  statement: UPDATE notes SET note = '${GROUPED}' WHERE id = 1`,
    ],
    'a parameter in the log of PostgreSQL': [
      `2026-11-29 10:20:30 UTC:10.0.1.12(45320):ann@billing:[4711]:DETAIL:  parameters: $1 = '${PLANTED_CARD}', $2 = '12/28'`,
    ],
    'a line that is no JSON': [`${AT} ${REQUEST} INFO card ${PLANTED_CARD}`],
    'track 2': [line({ swipe: `;${PLANTED_CARD}=28121011234567890?` })],
  };
  return Object.entries(texts).map(([kind, [text, code = false]]) => ({ kind, text, planted: true, code }));
}

/** Lines as the platform and AWS write them. */
function innocent(each: number): CorpusText[] {
  const digits = (index: number, count: number) =>
    String(BigInt(index + 7) * 918_273_645_546_372_819n)
      .padStart(count, '4')
      .slice(-count);
  const kinds: Readonly<Record<string, (index: number) => string>> = {
    'of the logger': (index) => line({ event: `evt_1N${digits(index, 16)}`, customer: `cus_${digits(index, 14)}` }),
    metrics: (index) =>
      JSON.stringify({
        _aws: {
          Timestamp: 1_796_000_000_000 + index,
          CloudWatchMetrics: [{ Namespace: 'BillingOps', Dimensions: [['service']] }],
        },
        service: 'processor',
        EventsProcessed: index,
        BytesRead: 4_532_017_112_830 + index,
      }),
    'of the platform': (index) =>
      JSON.stringify({
        time: AT,
        type: 'platform.report',
        record: {
          requestId: REQUEST,
          metrics: { durationMs: 12.345678901234567 + index, billedDurationMs: 13 },
          tracing: { value: TRACE },
        },
      }),
    'of the gateway': (index) =>
      `{"requestId":"${REQUEST}","ip":"45.32.0.17","caller":"-","requestTime":"29/Nov/2026:10:20:30 +0000","httpMethod":"POST","resourcePath":"/webhooks/stripe","status":"200","responseLength":"${index}","user":"-"}`,
    'of the firewall': (index) =>
      JSON.stringify({
        timestamp: 1_796_000_000_000 + index,
        httpRequest: {
          clientIp: '45.32.1.7',
          headers: [{ name: 'traceparent', value: `00-4532017112830362${digits(index, 16)}-4532017112830362-01` }],
        },
        ruleGroupList: [],
      }),
    'of PostgreSQL': (index) =>
      `2026-11-29 10:20:30 UTC:10.0.1.${index % 255}(45320):billing_service_user@billing:[${4_711 + index}]:LOG:  AUDIT: SESSION,${index},1,WRITE,UPDATE,TABLE,billing.charges,"UPDATE billing.charges SET amount = ${digits(index, 9)} WHERE id = 'ch_3N${digits(index, 16)}'",<not logged>`,
    'of a workflow': (index) =>
      JSON.stringify({
        id: String(index),
        type: 'TaskStateEntered',
        details: { name: 'Wait' },
        execution_arn: `arn:aws:states:eu-central-1:453201711283:execution:x:${REQUEST}`,
      }),
    'of the proxy': (index) =>
      `${AT} [INFO] [proxyEndpoint=default] [clientConnection=${digits(index, 10)}] A TCP connection was established from the proxy at 10.0.1.12:45320 to the database at 10.0.2.45:5432.`,
    'with an id of digits': (index) => line({ orderId: `45${digits(index, 14)}` }),
  };
  return Object.entries(kinds).flatMap(([kind, write]) =>
    Array.from({ length: each }, (_, index) => ({ kind, text: write(index), planted: false })),
  );
}

/** @param each innocent lines of each kind */
export function logCorpus(each: number): readonly CorpusText[] {
  return [...planted(), ...innocent(each)];
}
