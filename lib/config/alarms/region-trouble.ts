import type { AlertDefinition } from './alarm-definition';

/**
 * Things that have nothing in common but the region fail at the same time. CloudWatch has no measure of a region's health;
 * what it has is that functions do not run, that requests to the endpoint fail, and that instances do not answer. Any two of
 * these are enough. A bad deployment, a disabled key, a used-up quota or a network without a route do the same: the text says so.
 */
export const REGION_TROUBLE = {
  name: 'regionTrouble',
  symptom:
    'Unlike things fail at once – scheduled functions, the endpoint or both databases: trouble of the AWS region, or of what they share',
  action:
    'Look at AWS Health for the region. If it is healthy: the last deployment, the keys, the quota of Lambda, the network. "ops alarms" names all that is raised; most of it does not page.',
  owner: 'platform',
  runbookAnchor: 'region-trouble',
  consolePage: 'health',
  evidence: [
    ['collectorMissing', 'webhookDelivery', 'webhookErrors'],
    ['collectorMissing', 'canaryFailed'],
    ['databaseUnreachable-billing', 'databaseUnreachable-main', 'webhookDelivery', 'webhookErrors'],
  ],
} as const satisfies AlertDefinition & { readonly name: string; readonly evidence: readonly (readonly string[])[] };
