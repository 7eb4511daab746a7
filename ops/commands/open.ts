import { dashboardName, failureQueueName, functionName, METRIC_NAMESPACE } from '../../core/contract';
import type { WebhookEnvironment } from '../../lambdas/webhook/contract';
import { defineCommand } from '../command';
import { configurationOf } from '../discover';
import { fields } from '../print/table';
import { oneOf, optional } from '../values';

export const open = defineCommand({
  name: 'open',
  summary: 'Prints links to the consoles of AWS and Stripe',
  effect: 'reads',
  changes: 'nothing.',
  json: 'an object of links by their names',
  arguments: {
    what: optional(
      oneOf('what', ['console', 'dashboard', 'stripe']),
      'Only the consoles of AWS, the metrics in CloudWatch, or Stripe',
    ),
  },
  options: {},
  examples: [
    { line: 'open', explains: 'Where do I look at this in a browser?' },
    { line: 'open stripe', explains: 'Where are the deliveries?' },
  ],
  async run(context, { what }) {
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
    const stripe = `https://dashboard.stripe.com/${webhook.variables.LIVEMODE === 'true' ? '' : 'test/'}`;
    const dashboardOf = (name: 'overview' | 'night') =>
      console(`cloudwatch/home?region=${region}#dashboards:name=${dashboardName(environment, name)}`);
    // An environment without dashboards (`dashboards: false`) has the metrics.
    const dashboard = {
      dashboard: dashboardOf('overview'),
      night: dashboardOf('night'),
      metrics: console(`cloudwatch/home?region=${region}#metricsV2?graph=~()&namespace=~'${METRIC_NAMESPACE}`),
    };
    const ofStripe = {
      stripeWebhooks: `${stripe}webhooks`,
      stripeEvents: `${stripe}events`,
      stripePayments: `${stripe}payments`,
      stripePayouts: `${stripe}payouts`,
    };
    const consoles = {
      alarms: console(`cloudwatch/home?region=${region}#alarmsV2:?~(search~'${prefix})`),
      functions: console(`lambda/home?region=${region}#/functions?f0=true&n0=false&op=and&v0=${prefix}`),
      recoveries: console(`states/home?region=${region}#/statemachines`),
      databases: console(`rds/home?region=${region}#databases:`),
      backups: console(`backup/home?region=${region}#/jobs`),
      queues: console(`sqs/v3/home?region=${region}#/queues`),
      secrets: console(`secretsmanager/listsecrets?region=${region}`),
      failedBackups: console(`sqs/v3/home?region=${region}#/queues?prefix=${failureQueueName(environment, 'backup')}`),
    };
    const all = { console: consoles, dashboard, stripe: ofStripe };
    const report = what === undefined ? { ...consoles, ...dashboard, ...ofStripe } : all[what];
    return { report, lines: fields(Object.entries(report), style) };
  },
});
