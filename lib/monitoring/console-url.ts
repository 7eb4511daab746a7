import { functionName } from '../../core/contract';
import type { ConsolePage } from '../config/alarms/alarm-definition';
import { queueName, type MetricNames } from './cloudwatch-metric';

/** Where an environment runs. */
export interface ConsoleLocation {
  /** Twelve digits. */
  readonly account: string;
  /** Region of the environment, whose console is linked to. */
  readonly region: string;
  /** Names of the resources that pages show. */
  readonly names: MetricNames;
}

/** The pages that are the same for every resource, by path and fragment. */
const PAGES = {
  backupJobs: ['backup/home', '#/jobs'],
  firewall: ['wafv2/homev2/web-acls', ''],
  instanceEvents: ['rds/home', '#events:'],
  keys: ['kms/home', '#/kms/keys'],
  secrets: ['secretsmanager/listsecrets', ''],
  stateMachines: ['states/home', '#/statemachines'],
  topics: ['sns/v3/home', '#/topics'],
} as const;

/**
 * URL of a page of the AWS console, in the region of the environment.
 *
 * @param alarmName complete name of the alarm that links there. `undefined` for an event, which has no alarm
 * @throws Error when the page is that of the alarm, and there is none
 */
export function consoleUrl(page: ConsolePage, location: ConsoleLocation, alarmName?: string): string {
  const { region } = location;
  if (page === 'health') return healthUrl(region);
  const [path, fragment] = pathOf(page, location, alarmName);
  return `https://${region}.${consoleDomain(region)}/${path}?region=${region}${fragment}`;
}

function pathOf(
  page: Exclude<ConsolePage, 'health'>,
  { region, account, names }: ConsoleLocation,
  alarmName?: string,
): readonly [string, string] {
  if (page === 'alarm') {
    if (alarmName === undefined) throw new Error('An event has no alarm to link to');
    return ['cloudwatch/home', `#alarmsV2:alarm/${encodeURIComponent(alarmName)}`];
  }
  if (typeof page === 'string') return PAGES[page];
  if ('functionOf' in page) {
    return ['lambda/home', `#/functions/${functionName(names.environmentName, page.functionOf)}?tab=monitoring`];
  }
  // The name may be known at deployment only: it is not encoded, and needs no encoding.
  const queues = encodeURIComponent(`https://sqs.${region}.${serviceDomain(region)}/${account}/`);
  return ['sqs/v3/home', `#/queues/${queues}${queueName(page.queue, names)}`];
}

function healthUrl(region: string): string {
  return region.startsWith('cn-') ? 'https://status.amazonaws.cn' : 'https://health.aws.amazon.com/health/status';
}

/** What the address of the console of a region ends with. */
export function consoleDomain(region: string): string {
  if (region.startsWith('cn-')) return 'console.amazonaws.cn';
  return region.startsWith('us-gov-') ? 'console.amazonaws-us-gov.com' : 'console.aws.amazon.com';
}

function serviceDomain(region: string): string {
  return region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
}
