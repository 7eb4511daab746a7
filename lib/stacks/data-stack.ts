import { CfnOutput } from 'aws-cdk-lib';
import { CfnSecurityGroupIngress, SecurityGroup, type ISecurityGroup, type IVpc } from 'aws-cdk-lib/aws-ec2';
import { Key, type IKey } from 'aws-cdk-lib/aws-kms';
import { DatabaseInstance } from 'aws-cdk-lib/aws-rds';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';
import { ALLOWED_OUTPUT } from '../../core/residency/contract';
import type { EnvironmentConfig, ExistingDatabaseConfig } from '../config/environment-schema';
import { hasRecoveryPoints } from '../config/database-settings';
import { DEFAULT_NETWORK } from '../config/network-settings';
import { BACKUP_POLICIES } from '../config/policies';
import { AnalyticsReplica } from '../data/analytics-replica';
import { ArchiveSigningKey } from '../data/archive-signing-key';
import { ArchiveReplication } from '../data/archive-replication';
import { Archives } from '../data/archives';
import { backupAccount, replicationRoleName, type BackupAccount } from '../data/backup-account';
import { Database } from '../data/database';
import { PooledConnections } from '../data/pooled-connections';
import { PublishedParameters } from '../data/published-parameters';
import type { Egress } from '../data/egress';
import { FunctionLogins } from '../data/function-logins';
import { PeoplePolicies } from '../data/people-policies';
import { LogKey } from '../data/log-key';
import { existingInstance } from '../data/existing-instance';
import { ExistingNetwork } from '../data/existing-network';
import { Network, type DatabaseNetwork } from '../data/network';
import { rotatePassword } from '../data/password-rotation';
import { RecoveryPoints } from '../data/recovery-points';
import { recoveryRegion, type RecoveryRegion } from '../data/recovery-region';
import { RestoreTesting } from '../data/restore-testing';
import { ProviderSecrets } from '../data/provider-secrets';
import { ApiKeySecret } from '../data/api-key-secret';
import { ErasureKeySecret } from '../data/erasure-key-secret';
import type { DatabaseAccess } from '../data/database-access';
import type { CreatedInstance, RecoverableInstance } from '../operations/recovery/recovery-permissions';
import { ResidencyReads } from '../data/residency-reads';
import { EnvironmentStack } from './environment-stack';

export interface DataStackProps {
  /** Configuration of the environment. */
  readonly config: EnvironmentConfig;
}

/** Access to one database: directly, and through its proxy where it has one. */
interface DatabaseAccesses {
  readonly direct: DatabaseAccess;
  readonly pooled: DatabaseAccess;
  /** Of the replica for reports. `undefined` without one. */
  readonly analyticsHost?: string;
  /** Resource ids of the instance and of that replica, by which IAM knows them. */
  readonly resourceIds: readonly string[];
  /** `undefined` for a database that existed before. */
  readonly created?: CreatedInstance;
  /** `undefined` for one that existed before, and whose settings have no `recovery`. */
  readonly recoverable?: RecoverableInstance;
}

/**
 * Everything that holds data. Depends on no other stack of its region. In a protected environment, the data outlives the
 * stack.
 */
export class DataStack extends EnvironmentStack {
  /** Network of the functions that connect to a database. `undefined` when the environment has none. */
  readonly vpc: IVpc | undefined;
  /** Security group of the endpoints of AWS APIs in that network. `undefined` when there are none. */
  readonly apiSecurityGroup: ISecurityGroup | undefined;
  /** Where calls out of that network come from. `undefined` where that is unknown. */
  readonly egress: Egress | undefined;
  readonly databases: Readonly<Record<DatabaseName, DatabaseAccess>>;
  /** The billing database for functions with many instances: through its proxy, where it has one. */
  readonly pooledBilling: DatabaseAccess;
  /** Whether there is a proxy before the billing database. */
  readonly isBillingPooled: boolean;
  /** The instances that this stack creates. */
  readonly created: readonly CreatedInstance[];
  /** These, and existing ones whose settings have `recovery`. */
  readonly recoverable: readonly RecoverableInstance[];
  /** Those of them whose databases a workflow archives when they are too large for one call. */
  readonly archivedInParts: readonly RecoverableInstance[];
  readonly archiveBucket: Bucket;
  readonly archiveKey: Key;
  /** Key pair that the manifests of archives are signed with. */
  readonly archiveSigningKey: Key;
  readonly stripeSecrets: ProviderSecrets;
  /** `undefined` where the environment takes no Tilled. */
  readonly tilledSecrets: ProviderSecrets | undefined;
  /** Secret that the keys of the API are hashed under. */
  readonly apiKeySecret: ApiKeySecret;
  /** Secret that people who were erased are hashed under. */
  readonly erasureKeySecret: ErasureKeySecret;
  /** Encrypts all logs of the environment. */
  readonly logKey: IKey;
  /** Where archives and recovery points are copied to. `undefined` without a second region. */
  readonly recoveryRegion: RecoveryRegion | undefined;
  /** Account that they are copied to as well. `undefined` without one. */
  readonly backupAccount: BackupAccount | undefined;

  constructor(scope: Construct, props: DataStackProps) {
    const { config } = props;
    super(scope, 'Data', {
      config,
      description: `Databases, backups and secrets of billing (${config.name})`,
      terminationProtection: config.removalProtection,
    });
    const { removalProtection, name: environmentName } = config;
    this.recoveryRegion = recoveryRegion(config);
    this.backupAccount = backupAccount(config);
    const isCopied = this.recoveryRegion !== undefined || this.backupAccount !== undefined;
    this.logKey = new LogKey(this, 'LogKey', { environmentName, removalProtection });
    const archives = new Archives(this, 'Archives', {
      removalProtection,
      replicated: isCopied,
      breakGlassRoleArn: config.breakGlassRoleArn,
    });
    this.archiveBucket = archives.bucket;
    this.archiveKey = archives.key;
    this.archiveSigningKey = new ArchiveSigningKey(this, 'ArchiveSigningKey', { environmentName, removalProtection });
    if (isCopied) {
      new ArchiveReplication(this, 'ArchiveReplication', {
        archives,
        recoveryRegion: this.recoveryRegion,
        backupAccount: this.backupAccount,
        roleName: this.backupAccount && replicationRoleName(config),
      });
    }
    const secrets = { environmentName, removalProtection, copyRegion: config.secondRegion };
    this.stripeSecrets = new ProviderSecrets(this, 'StripeSecrets', { title: 'Stripe', ...secrets });
    this.tilledSecrets = config.tilled
      ? new ProviderSecrets(this, 'TilledSecrets', { title: 'Tilled', ...secrets })
      : undefined;
    const { key } = this.stripeSecrets;
    this.erasureKeySecret = new ErasureKeySecret(this, 'ErasureKeySecret', { key, ...secrets });
    this.apiKeySecret = new ApiKeySecret(this, 'ApiKeySecret', { key, ...secrets });

    const network = this.network(config);
    this.vpc = network?.vpc;
    this.apiSecurityGroup = network?.apiSecurityGroup;
    this.egress = network?.egress;
    const billing = this.database('billing', config, network);
    const main = this.database('main', config, network);
    this.databases = { billing: billing.direct, main: main.direct };
    this.pooledBilling = billing.pooled;
    this.isBillingPooled = billing.pooled !== billing.direct;
    this.created = [billing, main].flatMap(({ created }) => created ?? []);
    this.recoverable = [billing, main].flatMap(({ recoverable }) => recoverable ?? []);
    this.archivedInParts = config.largeArchives.method === 'map' ? this.recoverable : [];
    this.publish(environmentName, { billing, main });
    new CfnOutput(this, ALLOWED_OUTPUT, {
      description: 'Regions in which data may be: maintenance and ops doctor compare them with where it is',
      value: config.allowedRegions.join(','),
    });
    new PeoplePolicies(this, 'People', {
      environmentName,
      databases: [
        { users: config.databases.billing.people.map(({ user }) => user), resourceIds: billing.resourceIds },
        { users: config.databases.main.people.map(({ user }) => user), resourceIds: main.resourceIds },
      ],
    });
    new ResidencyReads(this, 'ResidencyReads', { environmentName, part: 'Data' });
  }

  private publish(environmentName: string, accesses: Readonly<Record<DatabaseName, DatabaseAccesses>>): void {
    const ofDatabases = DATABASE_NAMES.flatMap((name) => {
      const { direct, pooled, analyticsHost } = accesses[name];
      return Object.entries({
        host: direct.host,
        port: String(direct.port),
        name: direct.databaseName,
        'secret-arn': direct.secretArn,
        'security-group': direct.securityGroup?.securityGroupId,
        'pooled-host': pooled.host,
        'pooled-security-group': pooled.securityGroup?.securityGroupId,
        'analytics-host': analyticsHost,
      }).map(([what, value]) => [`databases/${name}/${what}`, value] as const);
    });
    new PublishedParameters(this, 'Parameters', {
      environmentName,
      values: {
        ...Object.fromEntries(ofDatabases),
        'archives/bucket': this.archiveBucket.bucketName,
        'stripe/signing-secret-arn': this.stripeSecrets.signing.secretArn,
        'stripe/api-secret-arn': this.stripeSecrets.api.secretArn,
      },
    });
  }

  private network(config: EnvironmentConfig): DatabaseNetwork | undefined {
    if (config.existingNetwork) return new ExistingNetwork(this, 'ExistingNetwork', config.existingNetwork);
    if (DATABASE_NAMES.every((name) => config.databases[name].kind === 'existing')) return undefined;
    return new Network(this, 'Network', {
      environmentName: config.name,
      settings: config.network ?? DEFAULT_NETWORK,
      removalProtection: config.removalProtection,
      logKey: this.logKey,
    });
  }

  private database(
    name: DatabaseName,
    config: EnvironmentConfig,
    network: DatabaseNetwork | undefined,
  ): DatabaseAccesses {
    const settings = config.databases[name];
    if (settings.kind === 'existing') {
      const existing = this.existingDatabase(name, settings);
      const access = this.withLogins(existing, config, settings.rotation ? network : undefined, this.stripeSecrets.key);
      if (hasRecoveryPoints(settings)) this.existingRecoveryPoints(name, settings, config);
      if (settings.rotation && network) this.rotateExisting(access, config, network);
      const instance = existingInstance(this, name, settings, config.removalProtection);
      const recoverable = instance && { access, settings: instance, proxyName: settings.recovery?.proxyName };
      const resourceIds = settings.resourceId === undefined ? [] : [settings.resourceId];
      return { direct: access, pooled: access, recoverable, resourceIds };
    }
    if (!network) throw new Error(`The ${name} database is created in a network, and there is none`);
    const { name: environmentName, removalProtection, breakGlassRoleArn } = config;
    const title = name === 'billing' ? 'BillingDatabase' : 'MainDatabase';
    const database = new Database(this, title, {
      name,
      environmentName,
      network,
      config: settings,
      backupPolicy: BACKUP_POLICIES[name],
      logKey: this.logKey,
      removalProtection,
      breakGlassRoleArn,
      backupAccount: this.backupAccount,
    });
    const { vault } = new RecoveryPoints(this, `${title}RecoveryPoints`, {
      name,
      instance: database.instance,
      policy: BACKUP_POLICIES[name],
      removalProtection,
      breakGlassRoleArn,
      recoveryRegion: this.recoveryRegion,
      backupAccount: this.backupAccount,
    });
    new RestoreTesting(this, `${title}RestoreTesting`, { environmentName, database, vault, network });
    const { logKey } = this;
    const shared = { database, network, logKey, removalProtection };
    const analytics = new AnalyticsReplica(this, `${title}Analytics`, {
      ...shared,
      enabled: settings.analyticsReplica,
      config: settings,
    });
    const { admit } = settings;
    const access = this.withLogins(database.access, config, network, database.key);
    const pooled = new PooledConnections(this, `${title}Proxy`, { ...shared, access, enabled: settings.proxy, admit });
    const created = { access, settings: database.settings, proxyName: pooled.proxyName };
    return {
      direct: access,
      pooled: pooled.access ?? access,
      analyticsHost: analytics.host,
      resourceIds: [settings.resourceId ?? database.instance.instanceResourceId, analytics.resourceId].flatMap(
        (resourceId) => resourceId ?? [],
      ),
      created,
      recoverable: created,
    };
  }

  /** With users of their own for functions, where the environment says so. */
  private withLogins(
    access: DatabaseAccess,
    { databases, name: environmentName, removalProtection }: EnvironmentConfig,
    network: DatabaseNetwork | undefined,
    key: IKey,
  ): DatabaseAccess {
    if (databases[access.name].logins === 'owner') return access;
    const id = access.name === 'billing' ? 'BillingLogins' : 'MainLogins';
    const { logKey } = this;
    const props = { access, environmentName, network, key, logKey, removalProtection };
    return { ...access, logins: new FunctionLogins(this, id, props) };
  }

  /** Recovery points of an instance that this stack did not make, and cannot test by restoring: it does not know its subnets. */
  private existingRecoveryPoints(
    name: DatabaseName,
    { instanceIdentifier, host, port }: ExistingDatabaseConfig,
    { removalProtection, breakGlassRoleArn }: EnvironmentConfig,
  ): void {
    const title = name === 'billing' ? 'BillingDatabase' : 'MainDatabase';
    new RecoveryPoints(this, `${title}RecoveryPoints`, {
      name,
      instance: DatabaseInstance.fromDatabaseInstanceAttributes(this, `${title}Existing`, {
        instanceIdentifier: instanceIdentifier ?? '',
        instanceEndpointAddress: host,
        port,
        securityGroups: [],
      }),
      policy: BACKUP_POLICIES[name],
      removalProtection,
      breakGlassRoleArn,
      recoveryRegion: this.recoveryRegion,
      backupAccount: this.backupAccount,
    });
  }

  /** Changes the password of a database that this stack did not make, which admits the function as it admits ours. */
  private rotateExisting(
    { name, secretArn, secretKey, securityGroup, port }: DatabaseAccess,
    { name: environmentName, removalProtection }: EnvironmentConfig,
    network: DatabaseNetwork,
  ): void {
    const scope = new Construct(this, name === 'billing' ? 'BillingDatabasePassword' : 'MainDatabasePassword');
    const rotation = rotatePassword(scope, {
      name,
      environmentName,
      network,
      secret: Secret.fromSecretAttributes(scope, 'Secret', { secretCompleteArn: secretArn, encryptionKey: secretKey }),
      logKey: this.logKey,
      removalProtection,
    });
    const [group] = rotation.connections.securityGroups;
    if (!securityGroup || !group) return;
    new CfnSecurityGroupIngress(scope, 'FromRotation', {
      groupId: securityGroup.securityGroupId,
      sourceSecurityGroupId: group.securityGroupId,
      ipProtocol: 'tcp',
      fromPort: port,
      toPort: port,
      description: 'The rotation function changes the password',
    });
  }

  private existingDatabase(name: DatabaseName, settings: ExistingDatabaseConfig): DatabaseAccess {
    const {
      kind: _,
      rotation: _rotation,
      recovery: _recovery,
      logins: _logins,
      people: _people,
      resourceId: _resourceId,
      secretKeyArn,
      securityGroupId,
      ...access
    } = settings;
    return {
      name,
      ...access,
      secretKey: secretKeyArn ? Key.fromKeyArn(this, `${name}SecretKey`, secretKeyArn) : undefined,
      securityGroup: securityGroupId
        ? SecurityGroup.fromSecurityGroupId(this, `${name}SecurityGroup`, securityGroupId, { mutable: false })
        : undefined,
    };
  }
}
