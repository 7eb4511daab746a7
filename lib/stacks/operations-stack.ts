import { Annotations, type Stack, Token } from 'aws-cdk-lib';
import { CfnLogGroup } from 'aws-cdk-lib/aws-logs';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import type { FunctionLogin } from '../../core/access/contract';
import { DATABASE_NAMES } from '../../core/contract';
import { WEBHOOK_ENDPOINTS } from '../../core/providers/contract';
import { instanceBehind } from '../../core/residency/contract';
import type { EnvironmentConfig } from '../config/environment-schema';
import { parameterName } from '../config/parameter-name';
import { largeArchiveNotes } from '../config/recovery-checks';
import { accessAs, type DatabaseAccess } from '../data/database-access';
import { PublishedParameters } from '../data/published-parameters';
import { Api, gatewayRoutesOf } from '../operations/functions/api';
import { Audit } from '../operations/functions/audit';
import { Backup } from '../operations/functions/backup';
import type { Bundle } from '../operations/bundles';
import { Canary } from '../operations/functions/canary';
import { Confirmations } from '../operations/functions/confirmations';
import { Cleanup } from '../operations/functions/cleanup';
import { Collector } from '../operations/functions/collector';
import { Drill } from '../operations/functions/drill';
import { otherServerGroup } from '../operations/database-connection';
import { EntitlementCache } from '../operations/entitlement-cache';
import { Entitlements } from '../operations/functions/entitlements';
import { EventQueue } from '../operations/event-queue';
import { HttpApi } from '../operations/http-api';
import { Erasure } from '../operations/functions/erasure';
import { Inspect } from '../operations/functions/inspect';
import { InstanceRecovery } from '../operations/recovery/instance-recovery';
import { RowWorkflow } from '../operations/recovery/row-workflow';
import { InstanceDrill } from '../operations/recovery/instance-drill';
import { LargeArchive } from '../operations/recovery/large-archive';
import { LargeRestore } from '../operations/recovery/large-restore';
import { Keys } from '../operations/functions/keys';
import { Maintenance } from '../operations/functions/maintenance';
import { Migrate } from '../operations/functions/migrate';
import { Move } from '../operations/functions/move';
import { Payouts } from '../operations/functions/payouts';
import { PROCESSOR_TIMEOUT, Processor } from '../operations/functions/processor';
import { Reconciliation } from '../operations/functions/reconciliation';
import { Refresh } from '../operations/functions/refresh';
import { Replay } from '../operations/functions/replay';
import { ResetPassword } from '../operations/functions/reset-password';
import { OperationalFunction } from '../operations/operational-function';
import { analyticsReplicaOf } from '../data/analytics-replica';
import { exportedLogName, LOG_EXPORTS } from '../../core/database/contract';
import { SavedQueries } from '../operations/saved-queries';
import { Restore } from '../operations/functions/restore';
import { RowRecovery } from '../operations/functions/row-recovery';
import { Verify } from '../operations/functions/verify';
import { Warm } from '../operations/functions/warm';
import { Webhook } from '../operations/functions/webhook';
import type { DataStack } from './data-stack';
import { EnvironmentStack } from './environment-stack';

export interface OperationsStackProps {
  /** Configuration of the environment. */
  readonly config: EnvironmentConfig;
  /** Stack with the databases, the bucket and the secrets. */
  readonly data: DataStack;
  /** Code of the functions. */
  readonly bundles: readonly Bundle[];
}

/** Functions, queue, API and schedules. It can be redeployed at any time; only the queues hold data, and they are kept. */
export class OperationsStack extends EnvironmentStack {
  constructor(scope: Construct, props: OperationsStackProps) {
    const { config, data, bundles } = props;
    super(scope, 'Operations', {
      config,
      description: `Functions, endpoint and schedules of billing (${config.name})`,
    });
    this.addStackDependency(data);
    Annotations.of(this).acknowledgeWarning(
      '@aws-cdk/core:Stack.templateSize',
      'More than half of it are the definitions of the workflows; a test keeps it below 950 kB',
    );

    const { logKey } = data;
    const { databases, archiveBucket, stripeSecrets, tilledSecrets } = data;
    const { billing } = databases;
    const { move } = config.databases.billing;
    const context = {
      config,
      bundles,
      logKey,
      vpc: data.vpc,
      apiSecurityGroup: data.apiSecurityGroup,
      otherServer: move && data.vpc && otherServerGroup(this, data.vpc, move, billing),
    };
    const service = accessAs(billing, 'service');
    const as = (login: FunctionLogin) => ({
      billing: accessAs(billing, login),
      main: accessAs(databases.main, login),
    });
    const archives = { bucket: archiveBucket, signingKey: data.archiveSigningKey };
    const stripeApiSecret = { arn: stripeSecrets.api.secretArn, key: stripeSecrets.key };
    const tilledApiSecret = tilledSecrets && { arn: tilledSecrets.api.secretArn, key: tilledSecrets.key };
    const queues = new EventQueue(this, 'EventQueue', {
      environmentName: config.name,
      consumerTimeout: PROCESSOR_TIMEOUT,
      removalProtection: config.removalProtection,
    });
    const cache =
      config.cache.kind === 'serverless' && data.vpc
        ? new EntitlementCache(this, 'EntitlementCache', { environmentName: config.name, vpc: data.vpc })
        : undefined;

    const httpApi = new HttpApi(this, 'HttpApi', {
      config,
      logKey,
      egress: data.egress,
      limited: gatewayRoutesOf(config),
    });
    const signingSecret = { arn: stripeSecrets.signing.secretArn, key: stripeSecrets.key };
    new Webhook(this, 'Webhook', {
      context,
      httpApi,
      queue: queues.queue,
      signingSecrets: {
        stripe: signingSecret,
        ...(tilledSecrets && { tilled: { arn: tilledSecrets.signing.secretArn, key: tilledSecrets.key } }),
      },
    });
    new Processor(this, 'Processor', {
      context,
      queue: queues.queue,
      deadLetterQueue: queues.deadLetterQueue,
      billing: accessAs(this.pooledBilling(config.name, data), 'service'),
      cache,
    });
    const replay = new Replay(this, 'Replay', {
      context,
      billing: service,
      queues,
      stripeApiSecret,
      tilledApiSecret,
      cache,
    });
    new Reconciliation(this, 'Reconciliation', {
      context,
      billing: service,
      stripeApiSecret,
      tilledApiSecret,
      cache,
    });
    new Refresh(this, 'Refresh', { context, billing: service, stripeApiSecret, cache });
    if (config.bitcoin) {
      new Confirmations(this, 'Confirmations', { context, bitcoin: config.bitcoin, billing: service, cache });
    }
    new Payouts(this, 'Payouts', { context, billing: service, stripeApiSecret, cache });
    const entitlements = new Entitlements(this, 'Entitlements', { context, billing: service, cache });

    const { archivedInParts } = data;
    const withWorkflow = archivedInParts.map(({ access }) => access.name);
    for (const note of largeArchiveNotes(config)) Annotations.of(this).addInfo(note);
    const backup = new Backup(this, 'Backup', {
      context,
      archives,
      archiveKey: data.archiveKey,
      databases: as('backup'),
      withWorkflow,
    });
    const erasures = {
      keySecret: { arn: data.erasureKeySecret.secretArn, key: stripeSecrets.key },
      hooks: config.erasure.main,
    };
    const erasure = new Erasure(this, 'Erasure', { context, archives, databases, erasures });
    const restore = new Restore(this, 'Restore', { context, archives, databases, erasures });
    const drill = new Drill(this, 'Drill', { context, archives, databases, erasures });
    const rowRecovery = new RowRecovery(this, 'RowRecovery', { context, archives, databases, erasures, cache });
    const warm = new Warm(this, 'Warm', { context, databases });
    const verify = new Verify(this, 'Verify', { context, databases });
    const resetPassword = new ResetPassword(this, 'ResetPassword', { context, databases });
    const migrate = new Migrate(this, 'Migrate', {
      context,
      databases,
      people: { billing: config.databases.billing.people, main: config.databases.main.people },
    });
    for (const instance of data.recoverable) {
      new InstanceRecovery(this, instance.access.name === 'billing' ? 'BillingRecovery' : 'MainRecovery', {
        environmentName: config.name,
        runbookUrl: config.runbookUrl,
        instance,
        logKey,
        warm: warm.function,
        verify: verify.function,
        erasure: erasure.function,
        resetPassword,
        migrate: migrate.function,
      });
    }
    for (const instance of data.created) {
      new RowWorkflow(this, instance.access.name === 'billing' ? 'BillingRows' : 'MainRows', {
        environmentName: config.name,
        runbookUrl: config.runbookUrl,
        instance,
        logKey,
        rowRecovery: rowRecovery.function,
        resetPassword,
      });
    }
    for (const instance of archivedInParts) {
      new LargeArchive(this, instance.access.name === 'billing' ? 'BillingLargeArchive' : 'MainLargeArchive', {
        config,
        instance,
        archiveBucket,
        logKey,
        backup: backup.function,
        resetPassword,
      });
    }
    for (const database of DATABASE_NAMES) {
      new LargeRestore(this, database === 'billing' ? 'BillingLargeRestore' : 'MainLargeRestore', {
        config,
        database,
        logKey,
        restore: restore.function,
        drill: drill.function,
      });
    }

    const audit = new Audit(this, 'Audit', { context, archiveBucket });
    const inspect = new Inspect(this, 'Inspect', {
      context,
      databases,
      archives,
      queues,
      stripeApiSecretArn: stripeSecrets.api.secretArn,
      stripeSigningSecretArn: stripeSecrets.signing.secretArn,
    });
    const keySecret = { arn: data.apiKeySecret.secretArn, key: stripeSecrets.key };
    new Keys(this, 'Keys', { context, billing, keySecret });
    new Api(this, 'Api', {
      context,
      httpApi,
      billing: accessAs(billing, 'api'),
      keySecret,
      cache,
      asked: {
        audit: audit.function,
        entitlements: entitlements.function,
        inspect: inspect.function,
        replay: replay.function,
      },
    });
    if (config.canary) {
      new Canary(this, 'Canary', {
        context,
        endpointUrl: httpApi.urlOf(WEBHOOK_ENDPOINTS.stripe.path),
        signingSecret,
        inspect: inspect.function,
      });
    }
    if (move) new Move(this, 'Move', { context, billing, pooled: this.pooledBilling(config.name, data), other: move });
    new Cleanup(this, 'Cleanup', { context, billing: service });
    const maintenance = new Maintenance(this, 'Maintenance', { context, databases, inspect: inspect.function });
    for (const instance of data.created) {
      new InstanceDrill(this, instance.access.name === 'billing' ? 'BillingInstanceDrill' : 'MainInstanceDrill', {
        environmentName: config.name,
        runbookUrl: config.runbookUrl,
        instance,
        logKey,
        verify: verify.function,
        erasure: erasure.function,
        resetPassword,
        failureQueue: maintenance.failureQueue,
      });
    }
    new Collector(this, 'Collector', {
      context,
      databases: as('collector'),
      archiveBucket,
      withWorkflow,
      recoveryRegion: data.recoveryRegion,
      stripeApiSecretArn: stripeSecrets.api.secretArn,
      stripeSigningSecretArn: stripeSecrets.signing.secretArn,
    });
    if (config.savedQueries) {
      new SavedQueries(this, 'SavedQueries', {
        environmentName: config.name,
        logs: this.node.findAll().flatMap((each) => (each instanceof OperationalFunction ? each.log : [])),
        databaseLogs: data.created
          .flatMap(({ settings: { instanceIdentifier: one } }) => [one, analyticsReplicaOf(one)])
          .map((instance) => exportedLogName(instance, 'postgresql')),
      });
    }
    maintenance.scanLogs(config.name, [
      ...groupsOf(this).map(({ attrArn }) => attrArn),
      ...namedLogsOf(data),
      ...logsOfExisting(this, config),
    ]);
    maintenance.lookUpRegions(config);
    new PublishedParameters(this, 'Parameters', {
      environmentName: config.name,
      values: { 'webhooks/stripe/url': httpApi.urlOf(WEBHOOK_ENDPOINTS.stripe.path) },
    });
  }

  /**
   * The host of a proxy is read when this stack is deployed. Were it exported, CloudFormation would not let the Data stack,
   * which is deployed first, remove the proxy.
   */
  private pooledBilling(environmentName: string, { pooledBilling, isBillingPooled }: DataStack): DatabaseAccess {
    if (!isBillingPooled) return pooledBilling;
    const name = parameterName(environmentName, 'databases/billing/pooled-host');
    return { ...pooledBilling, host: StringParameter.valueForStringParameter(this, name) };
  }
}

const groupsOf = (stack: Stack): CfnLogGroup[] =>
  stack.node.findAll().flatMap((each) => (each instanceof CfnLogGroup ? [each] : []));

/** ARNs of the log groups of another stack whose names are known: no export ties the stacks together. */
function namedLogsOf(stack: Stack): string[] {
  return groupsOf(stack).flatMap(({ logGroupName: name }) =>
    name === undefined || Token.isUnresolved(name) ? [] : [logArn(stack, name)],
  );
}

/** Of instances that no stack made and that are in the region of the environment, whether they export logs or not. */
function logsOfExisting(stack: Stack, { databases, region }: EnvironmentConfig): string[] {
  const names = DATABASE_NAMES.flatMap((each) => {
    const settings = databases[each];
    const instance = settings.kind === 'existing' ? instanceBehind(settings) : undefined;
    if (instance === undefined || (instance.region ?? region) !== region) return [];
    return LOG_EXPORTS.map((log) => exportedLogName(instance.id, log));
  });
  return [...new Set(names)].map((name) => logArn(stack, name));
}

const logArn = (stack: Stack, name: string): string =>
  stack.formatArn({ service: 'logs', resource: `log-group:${name}:*` });
