import type { WebhookEnvironment } from '../../lambdas/webhook/contract';
import { defineCommand } from '../command';
import type { Context } from '../context';
import { configurationOf } from '../discover';
import { CommandError, explain } from '../errors';
import { fields } from '../print/table';
import { duration } from '../print/units';
import { SAMPLE_TYPES, sampleEvent } from '../sample-events';
import { deliver, endpointOf } from '../signed-delivery';
import { oneOf, optional, required, text } from '../values';

const ACCEPTED = 200;

export const webhooksSend = defineCommand({
  name: 'webhooks send',
  summary: 'Sends a signed sample event to the endpoint, as Stripe does in test mode',
  details:
    'Events of one --user are about one customer, subscription and charge. An environment of live events refuses.',
  effect: 'changes',
  changes: 'what the event stands for, such as a subscription of the sample’s user.',
  json: '`{id, type, status, answer, durationMs}`',
  finding: 'the endpoint did not answer 200',
  arguments: { type: required(oneOf('type', SAMPLE_TYPES), 'Type of the event') },
  options: {
    user: optional(text('user'), 'Id of the user that the event is about. Default: sample'),
    app: optional(text('app'), 'Id of the app in its metadata. Default: none'),
    project: optional(text('project'), 'Id of the project in its metadata. Default: none'),
  },
  examples: [
    { line: 'webhooks send customer.subscription.created --user ann', explains: 'Subscribe a sample user.' },
    { line: 'webhooks send invoice.payment_failed --user ann', explains: 'Let her payment fail.' },
  ],
  async run(context, { type, user = 'sample', app, project }) {
    const { variables } = await configurationOf<WebhookEnvironment>(context, 'webhook');
    if (variables.LIVEMODE !== 'false') {
      const { environment } = context.target;
      throw new CommandError(
        'refused',
        `${environment} takes live events only: a sample event is refused there. Nothing was sent`,
      );
    }
    const url = await endpointOf(context);
    const secret = await signingSecret(context, variables.STRIPE_SIGNING_SECRET_ARN ?? '');
    const event = sampleEvent(type, { user, app, project, now: context.now() });
    const started = performance.now();
    const { status, answer } = await deliver(context, url, secret, JSON.stringify(event));
    const durationMs = Math.round(performance.now() - started);
    return {
      report: { id: event.id, type, status, answer, durationMs },
      lines: fields(
        [
          ['event', `${event.id} ${type}`],
          ['answer', `${status} ${answer}`],
          ['took', duration(durationMs)],
        ],
        context.style,
      ),
      exit: status === ACCEPTED ? 'done' : 'finding',
    };
  },
});

async function signingSecret({ clients, target }: Context, SecretId: string): Promise<string> {
  const { GetSecretValueCommand } = await import('@aws-sdk/client-secrets-manager');
  try {
    const { SecretString = '{}' } = await (
      await clients.secretsManager()
    ).send(new GetSecretValueCommand({ SecretId }));
    const { current } = JSON.parse(SecretString) as { readonly current?: unknown };
    if (typeof current === 'string') return current;
  } catch (cause) {
    throw explain(cause, 'read the signing secret', target.label);
  }
  throw new CommandError('refused', 'There is no signing secret yet: ops secrets put-stripe signing-secret');
}
