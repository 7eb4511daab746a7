import { failureQueueName, functionName } from '../../core/contract';
import type { WebhookEnvironment } from '../../lambdas/webhook/contract';
import { defineCommand } from '../command';
import { configurationOf } from '../discover';
import { fields } from '../print/table';

export const open = defineCommand({
  name: 'open',
  summary: 'Prints links to the consoles of AWS and Stripe',
  effect: 'reads',
  changes: 'nothing.',
  json: 'an object of links by their names',
  arguments: {},
  options: {},
  examples: [{ line: 'open', explains: 'Where do I look at this in a browser?' }],
  async run(context) {
    const { target, style } = context;
    if (target.platform !== undefined) {
      const { apiUrl, webhookUrl, endpoints } = target.platform;
      const report = { api: apiUrl, webhook: webhookUrl, ...endpoints };
      return { report, lines: fields(Object.entries(report), style) };
    }
    const { environment } = target;
    const webhook = await configurationOf<WebhookEnvironment>(context, 'webhook');
    const region = webhook.arn.split(':')[3] ?? '';
    const console = (path: string): string => `https://${region}.console.aws.amazon.com/${path}`;
    const prefix = functionName(environment, '');
    const report = {
      alarms: console(`cloudwatch/home?region=${region}#alarmsV2:?~(search~'${prefix})`),
      functions: console(`lambda/home?region=${region}#/functions?f0=true&n0=false&op=and&v0=${prefix}`),
      recoveries: console(`states/home?region=${region}#/statemachines`),
      databases: console(`rds/home?region=${region}#databases:`),
      backups: console(`backup/home?region=${region}#/jobs`),
      queues: console(`sqs/v3/home?region=${region}#/queues`),
      secrets: console(`secretsmanager/listsecrets?region=${region}`),
      failedBackups: console(`sqs/v3/home?region=${region}#/queues?prefix=${failureQueueName(environment, 'backup')}`),
      stripeWebhooks: `https://dashboard.stripe.com/${webhook.variables.LIVEMODE === 'true' ? '' : 'test/'}webhooks`,
    };
    return { report, lines: fields(Object.entries(report), style) };
  },
});
