import { SQSClient, SendMessageCommand } from '@aws-sdk/client-sqs';
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { z } from 'zod';
import { baseSettings, readEnvironment, secretArnSetting, setting } from '../shared/environment';
import { messageOf } from '../shared/errors';
import { createSecrets } from '../shared/secrets';
import { createTelemetry, MetricUnit } from '../shared/telemetry';
import { WEBHOOK_METRICS } from './contract';
import { verify } from './core';

const environment = readEnvironment({
  ...baseSettings,
  QUEUE_URL: setting.url('the URL of an SQS queue'),
  SIGNING_SECRET_ARN: secretArnSetting(),
  LIVEMODE: setting.flag(),
});
const { log, metrics } = createTelemetry('webhook', environment);
const secrets = createSecrets();
const sqs = new SQSClient({});

const signingSecrets = z.object({
  current: z.string({ error: 'expected the signing secret, whsec_…' }).min(1),
  previous: z.string().optional(),
  previousExpiresAt: z.coerce.date({ error: 'expected an ISO 8601 time' }).optional(),
});

/** Verifies a webhook of Stripe's and queues it: 200 when it is queued, 4xx when the sender is wrong, 500 when we are. */
export async function handler(request: APIGatewayProxyEvent): Promise<APIGatewayProxyResult> {
  metrics.addMetric(WEBHOOK_METRICS.received, MetricUnit.Count, 1);
  try {
    const verdict = verify(
      { body: rawBody(request), signature: header(request, 'stripe-signature') },
      await secrets.read(environment.SIGNING_SECRET_ARN, signingSecrets),
      environment.LIVEMODE,
      new Date(),
    );
    if (!verdict.accepted) {
      metrics.addMetric(WEBHOOK_METRICS.rejected, MetricUnit.Count, 1);
      log.warn('Refused a webhook', { statusCode: verdict.statusCode, reason: verdict.reason });
      return answer(verdict.statusCode, { error: verdict.reason });
    }
    await sqs.send(new SendMessageCommand({ QueueUrl: environment.QUEUE_URL, MessageBody: verdict.message }));
    log.info('Queued an event', { eventId: verdict.eventId, type: verdict.type });
    return answer(200, { received: true });
  } catch (error) {
    metrics.addMetric(WEBHOOK_METRICS.failed, MetricUnit.Count, 1);
    log.error('A webhook could not be queued; Stripe delivers it again', { reason: messageOf(error) });
    return answer(500, { error: 'The event could not be queued; deliver it again' });
  } finally {
    metrics.publishStoredMetrics();
  }
}

function rawBody(request: APIGatewayProxyEvent): Buffer {
  return Buffer.from(request.body ?? '', request.isBase64Encoded ? 'base64' : 'utf8');
}

/** Header names arrive in whatever case the sender, or a proxy, wrote them. */
function header(request: APIGatewayProxyEvent, name: string): string | undefined {
  return Object.entries(request.headers ?? {}).find(([key]) => key.toLowerCase() === name)?.[1];
}

function answer(statusCode: number, body: object): APIGatewayProxyResult {
  return { statusCode, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
