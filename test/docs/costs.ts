import { exampleEnvironment, type ExampleName } from '../support/example-environments';
import { BACKUP_POLICIES } from '../../lib/config/policies';
import { TEMPORARY_INSTANCE_POLICY } from '../../lib/config/recovery-policy';
import { DATABASE_NAMES } from '../../core/contract';
import { API_ENDPOINTS } from '../../lib/data/network';
import { resourcesOf, templatesOf, type Resource } from '../lib/support';

export const HOURS = 730;
const DAYS = 30;

/** When the prices were written down. */
export const PRICES_OF = 'November 2026';

/**
 * Unit prices in US dollars, on demand, in eu-central-1. Only those of NAT gateways were found published for this region;
 * the others are estimates, from the prices of us-east-1 and the usual difference of this region. AWS's price list decides.
 */
export const PRICES = {
  instanceHour: { 't4g.medium': 0.074, 'm7g.large': 0.198, 'm7g.xlarge': 0.395 } as Readonly<Record<string, number>>,
  storageGiBMonth: 0.137,
  proxyVcpuHour: 0.018,
  natGatewayHour: 0.052,
  publicAddressHour: 0.005,
  interfaceEndpointHour: 0.012,
  keyMonth: 1,
  secretMonth: 0.4,
  alarmMetricMonth: 0.1,
  compositeAlarmMonth: 0.5,
  customMetricMonth: 0.3,
  logGiBIngested: 0.63,
  logGiBMonth: 0.033,
  webAclMonth: 5,
  webAclRuleMonth: 1,
  webAclMillionRequests: 0.6,
  apiMillionRequests: 3.7,
  queueMillionRequests: 0.4,
  functionMillionRequests: 0.2,
  functionGiBSecond: 0.0000133334,
  cacheGiBHour: 0.1,
  objectGiBMonth: 0.0245,
  thousandObjectWrites: 0.0054,
  thousandStateTransitions: 0.025,
  recoveryPointGiBMonth: 0.103,
  betweenRegionsGiB: 0.02,
} as const;

/** What one environment is used for. Change it to yours: everything below follows from it. */
export interface Usage {
  readonly webhooksPerMonth: number;
  /** GiB in each database. */
  readonly databaseGiB: number;
  readonly logGiBPerMonth: number;
}

export const USAGE: Readonly<Record<ExampleName, Usage>> = {
  dev: { webhooksPerMonth: 10_000, databaseGiB: 1, logGiBPerMonth: 1 },
  staging: { webhooksPerMonth: 100_000, databaseGiB: 10, logGiBPerMonth: 5 },
  production: { webhooksPerMonth: 10_000_000, databaseGiB: 50, logGiBPerMonth: 40 },
};

/** Compressed archive to database. */
export const ARCHIVE_SHARE = 0.2;
/** Of a database that changes between two recovery points, which are incremental. */
export const CHANGED_SHARE = 0.01;
/** Different metrics that the functions publish. */
export const CUSTOM_METRICS = 80;
/** GiB-seconds of functions for each webhook (two of 512 MiB for a tenth of a second), and of a month of scheduled jobs. */
export const GIB_SECONDS_PER_WEBHOOK = 0.1;
export const GIB_SECONDS_OF_JOBS = 60_000;

/** Dollars a month of one environment, by service. */
export type Costs = Readonly<Record<string, number>>;

/** Monthly costs of an environment: its permanent resources, counted in its templates, and its usage. */
export function costsOf(name: ExampleName): Costs {
  const usage = USAGE[name];
  const templates = Object.values(templatesOf(name)).flatMap((template) => template ?? []);
  const all = (type: string) => templates.flatMap((template) => Object.values(resourcesOf(template, type)));
  const count = (type: string) => all(type).length;
  const millions = usage.webhooksPerMonth / 1_000_000;
  const endpoints = all('AWS::EC2::VPCEndpoint').filter(({ Properties }) => Properties.VpcEndpointType === 'Interface');
  const rules = all('AWS::WAFv2::WebACL').flatMap(({ Properties }) => Properties.Rules as unknown[]);
  return {
    'RDS instances': sum(all('AWS::RDS::DBInstance').map((instance) => instanceCost(name, instance))),
    'RDS Proxy': count('AWS::RDS::DBProxy') * vcpusOf(name) * PRICES.proxyVcpuHour * HOURS,
    'NAT gateways': count('AWS::EC2::NatGateway') * (PRICES.natGatewayHour + PRICES.publicAddressHour) * HOURS,
    'Interface endpoints':
      sum(endpoints.map(({ Properties }) => (Properties.SubnetIds as unknown[]).length)) *
      PRICES.interfaceEndpointHour *
      HOURS,
    'AWS Backup and S3': backupCost(name),
    CloudWatch:
      cloudWatchCost(all('AWS::CloudWatch::Alarm'), all('AWS::Logs::MetricFilter'), usage) +
      count('AWS::CloudWatch::CompositeAlarm') * PRICES.compositeAlarmMonth,
    'KMS and Secrets Manager':
      count('AWS::KMS::Key') * PRICES.keyMonth + count('AWS::SecretsManager::Secret') * PRICES.secretMonth,
    WAF:
      count('AWS::WAFv2::WebACL') * PRICES.webAclMonth +
      rules.length * PRICES.webAclRuleMonth +
      millions * PRICES.webAclMillionRequests,
    'API Gateway, SQS, Lambda':
      // Of a queue: sent, received and deleted, in batches.
      millions * (PRICES.apiMillionRequests + 2 * PRICES.queueMillionRequests + 2 * PRICES.functionMillionRequests) +
      (usage.webhooksPerMonth * GIB_SECONDS_PER_WEBHOOK + GIB_SECONDS_OF_JOBS) * PRICES.functionGiBSecond,
    // Billed for a tenth of a GiB at least.
    ElastiCache: count('AWS::ElastiCache::ServerlessCache') * 0.1 * PRICES.cacheGiBHour * HOURS,
  };
}

function instanceCost(name: ExampleName, { Properties }: Resource): number {
  const instanceClass = String(Properties.DBInstanceClass).replace('db.', '');
  // A replica begins with the storage of its source, which is billing's.
  const { billing } = exampleEnvironment(name).databases;
  const storage = Number(Properties.AllocatedStorage ?? billing.allocatedStorageGiB);
  return monthOfInstance(instanceClass, storage) * (Properties.MultiAZ === true ? 2 : 1);
}

/** Dollars a month of one instance with its disk. */
export function monthOfInstance(instanceClass: string, storageGiB: number): number {
  const hourly = PRICES.instanceHour[instanceClass];
  if (hourly === undefined) throw new Error(`No price of ${instanceClass}: add it to PRICES.instanceHour`);
  return hourly * HOURS + storageGiB * PRICES.storageGiBMonth;
}

/** A proxy is charged by the cores of its instance, two at least. */
function vcpusOf(name: ExampleName): number {
  const { billing } = exampleEnvironment(name).databases;
  return billing.kind === 'create' && billing.instanceClass.endsWith('.xlarge') ? 4 : 2;
}

function backupCost(name: ExampleName): number {
  const { databaseGiB } = USAGE[name];
  const copied = exampleEnvironment(name).secondRegion !== undefined;
  const regions = copied ? 2 : 1;
  return sum(
    DATABASE_NAMES.map((database) => {
      const { retentionDays, frequencyHours } = BACKUP_POLICIES[database];
      const perDay = 24 / frequencyHours;
      const kept = retentionDays * perDay;
      const archives = databaseGiB * ARCHIVE_SHARE * kept * PRICES.objectGiBMonth;
      const recoveryPoints = databaseGiB * (1 + CHANGED_SHARE * kept) * PRICES.recoveryPointGiBMonth;
      const moved = databaseGiB * (ARCHIVE_SHARE + CHANGED_SHARE) * perDay * DAYS * PRICES.betweenRegionsGiB;
      return (archives + recoveryPoints) * regions + (copied ? moved : 0);
    }),
  );
}

function cloudWatchCost(alarms: readonly Resource[], filters: readonly Resource[], { logGiBPerMonth }: Usage): number {
  const watched = alarms.map(({ Properties }) => {
    const metrics = (Properties.Metrics ?? [{ MetricStat: {} }]) as { readonly MetricStat?: object }[];
    return metrics.filter(({ MetricStat }) => MetricStat !== undefined).length;
  });
  const logged = new Set(filters.map(({ Properties }) => JSON.stringify(Properties.MetricTransformations)));
  return (
    sum(watched) * PRICES.alarmMetricMonth +
    (CUSTOM_METRICS + logged.size) * PRICES.customMetricMonth +
    // Kept a year.
    logGiBPerMonth * (PRICES.logGiBIngested + 12 * PRICES.logGiBMonth)
  );
}

/** Dollars a month of what one setting switches on, for a billing database of class `m7g.large` with 100 GiB. */
export function settingCosts(): readonly [string, number][] {
  const { natGatewayHour, publicAddressHour, interfaceEndpointHour, proxyVcpuHour, cacheGiBHour } = PRICES;
  const instance = (PRICES.instanceHour['m7g.large'] ?? 0) * HOURS + 100 * PRICES.storageGiBMonth;
  const zones = 3;
  return [
    ['`network.natGateways`, each', (natGatewayHour + publicAddressHour) * HOURS],
    ['`network.apiEndpoints`', Object.keys(API_ENDPOINTS).length * zones * interfaceEndpointHour * HOURS],
    ['`databases.….proxy`', 2 * proxyVcpuHour * HOURS],
    ['`databases.….multiAz`', instance],
    ['`databases.….analyticsReplica`', instance],
    ['`cache.kind: serverless`', 0.1 * cacheGiBHour * HOURS],
  ];
}

/** GiB of the database that {@link temporaryInstanceCosts} are about. */
const TEMPORARY_GIB = [100, 1_000, 10_000];

/** Dollars of a temporary instance that rows are compared with, by the GiB of its disk: an hour, and the longest it is kept. */
export function temporaryInstanceCosts(): readonly (readonly [number, number, number])[] {
  const { instanceClass, keepHours } = TEMPORARY_INSTANCE_POLICY;
  const hourly = PRICES.instanceHour[instanceClass.replace('db.', '')] ?? NaN;
  return TEMPORARY_GIB.map((gib) => {
    const hour = hourly + (gib * PRICES.storageGiBMonth) / HOURS;
    return [gib, hour, hour * keepHours];
  });
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
