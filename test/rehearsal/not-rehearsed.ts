/** The stacks of the environment, in the order in which they are deployed. */
export const STACKS = ['Recovery', 'Data', 'Operations', 'Monitoring'] as const;

/** Something that production has and no emulator can show. */
export interface NotRehearsed {
  readonly what: string;
  /** Types of resources that are therefore not deployed. */
  readonly types: readonly string[];
  readonly because: string;
  /** What proves it instead: files in the checkout. */
  readonly coveredBy: readonly string[];
}

/** All that the rehearsal leaves out of what production deploys, and what each is proven by instead. */
export const NOT_REHEARSED: readonly NotRehearsed[] = [
  {
    what: 'Firewall',
    types: [
      'AWS::WAFv2::IPSet',
      'AWS::WAFv2::WebACL',
      'AWS::WAFv2::WebACLAssociation',
      'AWS::WAFv2::LoggingConfiguration',
    ],
    because: 'switched off (`firewall`): MiniStack rejects a template with an association',
    coveredBy: ['test/lib/operations/web-acl.test.ts'],
  },
  {
    what: 'Gradual deployments',
    types: ['AWS::CodeDeploy::Application', 'AWS::CodeDeploy::DeploymentGroup'],
    because:
      'switched off (`gradualDeployments`): MiniStack rejects a template with CodeDeploy; the aliases are rehearsed',
    coveredBy: ['test/lib/operations/gradual-deployments.test.ts'],
  },
  {
    what: 'Alarms on ratios, sums and other alarms',
    types: ['AWS::CloudWatch::CompositeAlarm'],
    because: 'switched off (`computedAlarms`): MiniStack rejects a template with an alarm on several metrics',
    coveredBy: [
      'test/lib/monitoring/alarm-truth.test.ts',
      'test/lib/monitoring/alarms.test.ts',
      'test/lib/monitoring/one-cause-one-page.test.ts',
      'test/lib/monitoring/job-alarms.test.ts',
      'test/lib/stacks/rehearsal.test.ts',
    ],
  },
  {
    what: 'Saved queries',
    types: ['AWS::Logs::QueryDefinition'],
    because: 'switched off (`savedQueries`): MiniStack rejects a template with one',
    coveredBy: ['test/lib/operations/saved-queries.test.ts'],
  },
  {
    what: 'Network',
    types: [
      'AWS::EC2::EIP',
      'AWS::EC2::FlowLog',
      'AWS::EC2::InternetGateway',
      'AWS::EC2::NatGateway',
      'AWS::EC2::Route',
      'AWS::EC2::RouteTable',
      'AWS::EC2::SecurityGroup',
      'AWS::EC2::SecurityGroupEgress',
      'AWS::EC2::SecurityGroupIngress',
      'AWS::EC2::Subnet',
      'AWS::EC2::SubnetRouteTableAssociation',
      'AWS::EC2::VPC',
      'AWS::EC2::VPCEndpoint',
      'AWS::EC2::VPCGatewayAttachment',
    ],
    because: 'the databases exist already (`kind: existing`): no network is made for them',
    coveredBy: ['test/lib/data/network.test.ts'],
  },
  {
    what: 'Metrics of the logs of databases',
    types: ['AWS::Logs::MetricFilter'],
    because: 'the databases exist already (`kind: existing`): their logs are not read',
    coveredBy: ['test/lib/monitoring/database-log-metrics.test.ts'],
  },
  {
    what: 'Database instances, proxy and replica',
    types: [
      'AWS::RDS::DBInstance',
      'AWS::RDS::DBParameterGroup',
      'AWS::RDS::DBProxy',
      'AWS::RDS::DBProxyTargetGroup',
      'AWS::RDS::DBSubnetGroup',
    ],
    because: 'the databases exist already: real PostgreSQL instead, where MiniStack has only metadata',
    coveredBy: ['test/lib/stacks/stateful.test.ts', 'test/lib/config/policies.test.ts'],
  },
  {
    what: 'Rotation of the database passwords',
    types: [
      'AWS::SecretsManager::ResourcePolicy',
      'AWS::SecretsManager::RotationSchedule',
      'AWS::SecretsManager::SecretTargetAttachment',
    ],
    because: 'the databases exist already, with their secrets; MiniStack rotates nothing',
    coveredBy: ['test/lib/config/policies.test.ts', 'test/scenarios/password-rotation.proof.ts'],
  },
  {
    what: 'Recovery points, their vaults, copies and tests',
    types: [
      'AWS::Backup::BackupPlan',
      'AWS::Backup::BackupSelection',
      'AWS::Backup::BackupVault',
      'AWS::Backup::RestoreTestingPlan',
      'AWS::Backup::RestoreTestingSelection',
    ],
    because: 'made only for instances that the stack makes',
    coveredBy: ['test/lib/config/policies.test.ts', 'test/lib/data/copies.test.ts'],
  },
  {
    what: 'Recovery workflow of an instance',
    types: [],
    because: 'made only for instances that the stack makes',
    coveredBy: [
      'test/lib/operations/instance-recovery.test.ts',
      'test/lib/operations/instance-recovery-cut-over.test.ts',
      'test/lib/operations/instance-recovery-resume.proof.ts',
    ],
  },
  {
    what: 'Restores of archives above the streaming limit',
    types: [],
    because: 'their workflows are deployed, but MiniStack is given no archive of 40 GiB',
    coveredBy: ['test/lib/operations/large-restore-paths.proof.ts', 'test/lambdas/restore/stepped-restore.proof.ts'],
  },
  {
    what: 'Entitlement cache',
    types: ['AWS::ElastiCache::ServerlessCache', 'AWS::ElastiCache::User', 'AWS::ElastiCache::UserGroup'],
    because: 'switched off (`cache`): there is no network to put it into',
    coveredBy: ['test/lib/operations/operations.test.ts', 'test/core/cache/cache.test.ts'],
  },
  {
    what: 'Object lock, lifecycle and encryption of the buckets',
    types: [],
    because: 'deployed, but MiniStack drops it',
    coveredBy: [
      'test/lib/stacks/stateful.test.ts',
      'test/lib/config/policies.test.ts',
      'test/proof/archive-lock.proof.ts',
    ],
  },
  {
    what: 'Replication of the archives to the second region',
    types: [],
    because: 'deployed, but MiniStack follows no rule of it: the rehearsal copies the objects',
    coveredBy: ['test/lib/data/copies.test.ts', 'test/lib/data/region-loss.test.ts'],
  },
  {
    what: 'Loss of a region: promotion of replicas, restores of copied recovery points, DNS, what AWS takes',
    types: [],
    because:
      'MiniStack has one process for both regions, removes a replica with its primary, and restores no recovery point: ' +
      'the secrets of the first region stay, databases are existing ones, and nothing is timed',
    coveredBy: [
      'test/lib/data/region-loss.test.ts',
      'test/lib/data/region-loss.proof.ts',
      'test/scenarios/region-loss.proof.ts',
    ],
  },
  {
    what: 'Permissions of the functions, and key policies',
    types: [],
    because: 'deployed, but MiniStack checks no credentials',
    coveredBy: ['test/lib/policy/permissions.test.ts'],
  },
  {
    what: 'The time in the input of a schedule',
    types: [],
    because: 'MiniStack passes `<aws.scheduler.scheduled-time>` on unchanged: the rehearsal fills it in',
    coveredBy: ['test/lib/operations/schedules.test.ts', 'test/local/scheduler.test.ts'],
  },
  {
    what: 'When the schedules of the backups are due',
    types: [],
    because: 'the rehearsal does not wait for two at night: the rehearsal sets them to every minute, and back',
    coveredBy: ['test/lib/operations/schedules.test.ts', 'test/lib/config/policies.test.ts'],
  },
  {
    what: 'How long a received event stays hidden from others',
    types: [],
    because: 'three attempts would take nine minutes: the rehearsal shortens it while a poison event is parked',
    coveredBy: ['test/lib/operations/operations.test.ts'],
  },
  {
    what: 'Metrics out of the logs of the functions',
    types: [],
    because: 'MiniStack makes none: the rehearsal reads the record and publishes what it says',
    coveredBy: ['test/lambdas/bundles.proof.ts'],
  },
];
