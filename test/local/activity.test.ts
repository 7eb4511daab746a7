import type { APIGatewayProxyEvent } from 'aws-lambda';
import type { Message } from '@aws-sdk/client-sqs';
import { Activity } from '../../local/platform/activity';
import type { ScheduleDefinition } from '../../local/template/platform-template';

const WEBHOOK = 'BillingOps-local-webhook';
const PROCESSOR = 'BillingOps-local-processor';

let lines: string[];
let activity: Activity;

beforeEach(() => {
  lines = [];
  const clock = (): Date => new Date('2026-11-28T12:03:04Z');
  // eslint-disable-next-line no-control-regex -- the colours of a terminal
  activity = new Activity((line) => lines.push(line.replaceAll(/\u001B\[\d+m/g, '')), clock);
  activity.showAll();
});

const request = (body: string) => ({ body, isBase64Encoded: false }) as APIGatewayProxyEvent;
const message = (id: string, body: object, receives = 1): Message => ({
  MessageId: id,
  Body: JSON.stringify(body),
  Attributes: { ApproximateReceiveCount: String(receives) },
});

test('an event that was taken is a line with its answer, id, type and duration', () => {
  activity.request(WEBHOOK, request('{"id":"evt_1","type":"invoice.paid"}'), { statusCode: 200, body: '{}' }, 12.3);

  expect(lines).toEqual(['12:03:04  webhook        200 evt_1 invoice.paid  12 ms']);
});

test('a request that was refused is a line with the reason, not with what the sender wrote', () => {
  activity.request(WEBHOOK, request('{"id":"evt_1","type":"t"}'), { statusCode: 400, body: '{"error":"unsigned"}' }, 1);

  expect(lines).toEqual(['12:03:04  webhook        400 {"error":"unsigned"}  1 ms']);
});

test('an answer of the API is a line with the request, not with the page that was answered', () => {
  const page = { httpMethod: 'GET', path: '/admin', body: null } as APIGatewayProxyEvent;
  activity.request('BillingOps-local-api', page, { statusCode: 200, body: '<!doctype html>' }, 3);

  expect(lines).toEqual(['12:03:04  api            200 GET /admin  3 ms']);
});

test('control characters of a sender are not printed', () => {
  activity.request(WEBHOOK, request('{"id":"evt\\u001b[2J","type":"a\\nb\\u202e"}'), { statusCode: 200 }, 1);

  expect(lines).toEqual(['12:03:04  webhook        200 evt [2J a b   1 ms']);
});

test('a batch with failures names the events and their deliveries', () => {
  const messages = [
    message('a', { id: 'evt_a', type: 'x' }),
    message('b', { id: 'evt_b', type: 'y' }, 2),
    message('c', { id: 'evt_c', type: 'z' }, 3),
  ];

  activity.batch({
    functionName: PROCESSOR,
    messages,
    failed: new Set(['b', 'c']),
    error: undefined,
    durationMs: 1500,
  });

  expect(lines).toEqual([
    '12:03:04  processor      2 of 3 events failed: evt_b y (delivery 2), evt_c z (delivery 3)  1.5 s',
  ]);
});

test('a scheduled job and an invocation are lines with their outcome', () => {
  const schedule = {
    description: 'Archive of billing',
    functionArn: 'arn:aws:lambda:eu-central-1:000000000000:function:BillingOps-local-backup:live',
  };

  activity.job({ schedule: schedule as ScheduleDefinition, error: undefined, durationMs: 700 });
  activity.invocation({ functionName: 'BillingOps-local-drill', error: new Error('no archive'), durationMs: 5 });

  expect(lines).toEqual([
    '12:03:04  backup         Archive of billing: done  700 ms',
    '12:03:04  drill          invoked, failed: no archive  5 ms',
  ]);
});

test('only failures are printed until showAll is called', () => {
  const quiet = new Activity((line) => lines.push(line));

  quiet.batch({ functionName: PROCESSOR, messages: [], failed: new Set(), error: undefined, durationMs: 1 });
  quiet.batch({ functionName: PROCESSOR, messages: [], failed: new Set(), error: new Error('down'), durationMs: 1 });

  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('failed with 0 events: down');
});
