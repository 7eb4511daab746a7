import { Validations } from 'aws-cdk-lib';
import { SecurityGroup, Vpc, type IVpc } from 'aws-cdk-lib/aws-ec2';
import { Key } from 'aws-cdk-lib/aws-kms';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { DATABASE_NAMES, type DatabaseName } from '../../lambdas/shared/contract';
import type { EnvironmentConfig, ExistingDatabaseConfig } from '../config/environment-schema';
import { BACKUP_POLICIES } from '../config/policies';
import { Archives } from '../data/archives';
import { Database } from '../data/database';
import { Network } from '../data/network';
import { RecoveryPoints } from '../data/recovery-points';
import { StripeSecrets } from '../data/stripe-secrets';
import type { DatabaseAccess } from '../operations/database-access';
import { EnvironmentStack } from './environment-stack';

export interface DataStackProps {
  readonly config: EnvironmentConfig;
}

/** Everything that holds data. Depends on nothing; removing it keeps the data wherever the environment is protected. */
export class DataStack extends EnvironmentStack {
  /** Where the functions run that reach a database. `undefined` when the environment has no network. */
  readonly vpc: IVpc | undefined;
  readonly databases: Readonly<Record<DatabaseName, DatabaseAccess>>;
  readonly archiveBucket: Bucket;
  readonly stripeSecrets: StripeSecrets;

  constructor(scope: Construct, props: DataStackProps) {
    const { config } = props;
    super(scope, 'Data', {
      config,
      description: `Databases, backups and secrets of billing (${config.name})`,
      terminationProtection: config.removalProtection,
    });
    const { removalProtection, name: environmentName } = config;
    this.archiveBucket = new Archives(this, 'Archives', { removalProtection }).bucket;
    this.stripeSecrets = new StripeSecrets(this, 'StripeSecrets', { environmentName, removalProtection });

    const network = this.network(config);
    this.vpc = network?.vpc ?? this.existingVpc(config);
    this.databases = {
      billing: this.database('billing', config, network),
      main: this.database('main', config, network),
    };
  }

  private network(config: EnvironmentConfig): Network | undefined {
    if (DATABASE_NAMES.every((name) => config.databases[name].kind === 'existing')) return undefined;
    return new Network(this, 'Network', { natGateways: config.removalProtection ? 3 : 1 });
  }

  private existingVpc(config: EnvironmentConfig): IVpc | undefined {
    if (!config.existingNetwork) return undefined;
    const vpc = Vpc.fromVpcAttributes(this, 'ExistingVpc', config.existingNetwork);
    Validations.of(vpc).acknowledge({
      id: 'Annotation::@aws-cdk/aws-ec2:noSubnetRouteTableId',
      reason: 'Functions only run in these subnets; nothing here adds a route to them',
    });
    return vpc;
  }

  private database(name: DatabaseName, config: EnvironmentConfig, network: Network | undefined): DatabaseAccess {
    const settings = config.databases[name];
    if (settings.kind === 'existing') return this.existingDatabase(name, settings);
    if (!network) throw new Error(`The ${name} database is made in a network, and there is none`);
    const title = name === 'billing' ? 'BillingDatabase' : 'MainDatabase';
    const database = new Database(this, title, {
      name,
      environmentName: config.name,
      network,
      config: settings,
      backupPolicy: BACKUP_POLICIES[name],
      removalProtection: config.removalProtection,
    });
    new RecoveryPoints(this, `${title}RecoveryPoints`, {
      name,
      instance: database.instance,
      policy: BACKUP_POLICIES[name],
      removalProtection: config.removalProtection,
    });
    return database.access;
  }

  private existingDatabase(name: DatabaseName, settings: ExistingDatabaseConfig): DatabaseAccess {
    const { kind: _, secretKeyArn, securityGroupId, ...access } = settings;
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
