import { recoveryDefinition } from '../../../lib/operations/recovery/instance-recovery-definition';
import type { State } from '../../../lib/operations/recovery/instance-recovery-states';
import { resourceLike, resourcesOf, templatesOf } from '../support';

const INSTANCE = 'billing-operations-production-billing';
const settings = {
  instanceIdentifier: INSTANCE,
  subnetGroupName: 'subnets',
  parameterGroupName: 'parameters',
  instanceClass: 'db.m7g.large',
  networkType: 'IPV4',
  engineLifecycleSupport: 'open-source-rds-extended-support-disabled',
  monitoringRoleArn: 'arn:aws:iam::333333333333:role/monitoring',
  monitoringSeconds: 60,
  multiAz: true,
  maximumStorageGiB: 1000,
  logExports: ['postgresql', 'upgrade'],
  certificateAuthority: 'rds-ca-rsa2048-g1',
  insightsMode: 'standard',
  insightsDays: 7,
  insightsKeyArn: 'arn:aws:kms:eu-central-1:333333333333:key/billing',
  pointInTimeDays: 35,
  automatedBackupWindow: '03:00-03:30',
  maintenanceWindow: 'Sun:09:00-Sun:09:30',
  removalProtection: true,
};
const props = {
  database: 'billing',
  settings,
  securityGroupId: 'sg-0000000b',
  proxyName: 'proxy',
  warmFunctionArn: 'warm',
  verifyFunctionArn: 'verify',
  resetPasswordFunctionArn: 'reset-password',
  confirmationQueueUrl: 'queue',
  targetMinutes: 60,
  warmingMinutes: 30,
} as const;
const { States: states, StartAt } = recoveryDefinition(props);

const stateOf = (name: string): State => states[name] ?? {};
const argumentsOf = (name: string) => stateOf(name).Arguments as Record<string, unknown>;

function followersOf(name: string): string[] {
  const {
    Next,
    Default,
    Choices = [],
    Catch = [],
  } = stateOf(name) as {
    Next?: string;
    Default?: string;
    Choices?: { Next: string }[];
    Catch?: { Next: string }[];
  };
  return [Next, Default, ...Choices.map((choice) => choice.Next), ...Catch.map((caught) => caught.Next)].filter(
    (next) => next !== undefined,
  );
}

/** States that a run can get to, when it can pass through all but one. */
function reachable(without?: string): Set<string> {
  const reached = new Set([String(StartAt)]);
  for (const name of reached) {
    if (name === without) continue;
    for (const next of followersOf(name)) reached.add(next);
  }
  return reached;
}

test('every state is reached, leads to one that exists, or ends', () => {
  expect([...reachable()].toSorted()).toEqual(Object.keys(states).toSorted());
  const ends = Object.keys(states).filter((name) => followersOf(name).length === 0);
  expect(ends.map((name) => stateOf(name).Type)).toEqual(['Succeed', 'Fail', 'Fail', 'Fail']);
});

const RESTORED = {
  DbInstanceClass: 'db.m7g.large',
  EngineLifecycleSupport: 'open-source-rds-extended-support-disabled',
  NetworkType: 'IPV4',
  Port: 5432,
  DbSubnetGroupName: 'subnets',
  VpcSecurityGroupIds: ['sg-0000000b'],
  DbParameterGroupName: 'parameters',
  MultiAZ: true,
  PubliclyAccessible: false,
  DeletionProtection: true,
  EnableIAMDatabaseAuthentication: true,
  CopyTagsToSnapshot: true,
  AutoMinorVersionUpgrade: true,
  StorageType: 'gp3',
  EnableCloudwatchLogsExports: ['postgresql', 'upgrade'],
  CaCertificateIdentifier: 'rds-ca-rsa2048-g1',
};
const RECOVERED = '{% $recovered %}';
const FORMER = '{% $former %}';
const PROXY_TARGET = { DbProxyName: 'proxy', TargetGroupName: 'default', DbInstanceIdentifiers: [INSTANCE] };

/** Every call of RDS that the workflow makes, whole: what is missing here is not called. */
const RDS_CALLS: Readonly<Record<string, readonly [string, Record<string, unknown>]>> = {
  'Restore from snapshot': [
    'restoreDBInstanceFromDBSnapshot',
    { ...RESTORED, DbSnapshotIdentifier: '{% $states.input.snapshotArn %}', DbInstanceIdentifier: RECOVERED },
  ],
  'Restore to time': [
    'restoreDBInstanceToPointInTime',
    {
      ...RESTORED,
      SourceDBInstanceIdentifier: INSTANCE,
      TargetDBInstanceIdentifier: RECOVERED,
      RestoreTime: '{% $states.input.restoreTime %}',
    },
  ],
  'Restore to latest': [
    'restoreDBInstanceToPointInTime',
    {
      ...RESTORED,
      SourceDBInstanceIdentifier: INSTANCE,
      TargetDBInstanceIdentifier: RECOVERED,
      UseLatestRestorableTime: true,
    },
  ],
  'Restored: look': ['describeDBInstances', { DbInstanceIdentifier: RECOVERED }],
  Configure: [
    'modifyDBInstance',
    {
      DbInstanceIdentifier: RECOVERED,
      BackupRetentionPeriod: 35,
      PreferredBackupWindow: '03:00-03:30',
      PreferredMaintenanceWindow: 'Sun:09:00-Sun:09:30',
      MaxAllocatedStorage: 1000,
      MonitoringInterval: 60,
      MonitoringRoleArn: 'arn:aws:iam::333333333333:role/monitoring',
      DatabaseInsightsMode: 'standard',
      EnablePerformanceInsights: true,
      PerformanceInsightsKMSKeyId: 'arn:aws:kms:eu-central-1:333333333333:key/billing',
      PerformanceInsightsRetentionPeriod: 7,
      ApplyImmediately: true,
    },
  ],
  'Configured: look': ['describeDBInstances', { DbInstanceIdentifier: RECOVERED }],
  'Password reset: look': ['describeDBInstances', { DbInstanceIdentifier: RECOVERED }],
  'Take from proxy': ['deregisterDBProxyTargets', PROXY_TARGET],
  'Set aside': [
    'modifyDBInstance',
    { DbInstanceIdentifier: INSTANCE, NewDBInstanceIdentifier: FORMER, ApplyImmediately: true },
  ],
  'Aside: look': ['describeDBInstances', { DbInstanceIdentifier: FORMER }],
  'Take its place': [
    'modifyDBInstance',
    { DbInstanceIdentifier: RECOVERED, NewDBInstanceIdentifier: INSTANCE, ApplyImmediately: true },
  ],
  'In place: look': ['describeDBInstances', { DbInstanceIdentifier: INSTANCE }],
  'Give to proxy': ['registerDBProxyTargets', PROXY_TARGET],
};

test('RDS is called for exactly this, with exactly these arguments', () => {
  const calls = Object.entries(states).flatMap(([name, state]) => {
    const action = /^arn:aws:states:::aws-sdk:rds:(\w+)$/.exec(String(state.Resource))?.[1];
    return action === undefined ? [] : [[name, [action, state.Arguments]] as const];
  });
  expect(Object.fromEntries(calls)).toEqual(RDS_CALLS);
});

test('a call that RDS refuses for a moment is repeated, and a restore is never begun twice', () => {
  for (const name of Object.keys(RDS_CALLS)) {
    expect([name, stateOf(name).Retry !== undefined]).toEqual([name, !name.startsWith('Restore ')]);
  }
});

describe('warming', () => {
  const choicesOf = (name: string) => stateOf(name).Choices as { Condition: string; Next: string }[];

  test('goes on where the call before stopped, until everything is read or its time is up', () => {
    expect(argumentsOf('Warm')).toEqual({
      FunctionName: 'warm',
      Payload: {
        database: 'billing',
        host: '{% $host %}',
        continueFrom: '{% $warmed.continueFrom %}',
        stopAtMs: '{% $warmUntil %}',
      },
    });
    expect(stateOf('Begin warming').Assign).toMatchObject({
      warmUntil: '{% $millis() + 1800000 %}',
      warmed: { done: false, continueFrom: null },
    });
    expect(stateOf('Warm').Assign).toMatchObject({
      warmed: { continueFrom: '{% $states.result.Payload.continueFrom %}' },
    });
    expect(choicesOf('Warm enough?')[1]).toEqual({
      Condition: '{% $warmed.done = false and $millis() < $warmUntil %}',
      Next: 'Warm',
    });
    expect(stateOf('Warm enough?').Default).toBe('Verify');
  });

  test('that fails delays nothing: the database is verified all the same', () => {
    expect(stateOf('Warm').Catch).toEqual([expect.objectContaining({ ErrorEquals: ['States.ALL'], Next: 'Verify' })]);
    expect(stateOf('Warm').Retry).toBeDefined();
  });

  test('that finds a page which cannot be read ends the recovery', () => {
    expect(choicesOf('Warm enough?')[0]).toEqual({
      Condition: '{% $count($states.input.unreadable) > 0 %}',
      Next: 'Unsound',
    });
  });

  test('is no part of the verification, and both are told to whoever confirms, with the time against the target', () => {
    expect(argumentsOf('Verify')).toEqual({
      FunctionName: 'verify',
      Payload: { database: 'billing', host: '{% $host %}' },
    });
    expect(argumentsOf('Ask').MessageBody).toMatchObject({
      verification: '{% $report %}',
      warming: '{% $warmed %}',
      minutes: '{% $round(($millis() - $toMillis($startedAt)) / 60000, 1) %}',
      targetMinutes: 60,
    });
  });
});

test('the names of the recovered and of the former instance are ones that RDS takes', () => {
  const { recovered, former } = stateOf('Name').Assign as Record<string, string>;
  for (const expression of [recovered, former]) {
    const prefix = /'(.*)'/.exec(expression ?? '')?.[1] ?? '';
    expect(`${prefix}01234567`).toMatch(/^(?!.*--)[a-z][a-z0-9-]{0,62}$/);
  }
});

describe('the instance in use', () => {
  /** States that change it or its proxy, not the recovered one. */
  const touching = Object.keys(states).filter((name) => {
    const given = (stateOf(name).Arguments ?? {}) as Record<string, unknown>;
    if (!/modifyDBInstance|ProxyTargets/.test(String(stateOf(name).Resource))) return false;
    return given.DbInstanceIdentifier === INSTANCE || 'NewDBInstanceIdentifier' in given || 'DbProxyName' in given;
  });

  test('is not touched without a confirmation', () => {
    expect(touching).toEqual(['Take from proxy', 'Set aside', 'Take its place', 'Give to proxy']);
    const before = reachable('Confirmed?');
    expect(touching.filter((name) => before.has(name))).toEqual([]);
  });

  test('is not touched before the recovered one was proven sound', () => {
    const before = reachable('Sound?');
    expect(touching.filter((name) => before.has(name))).toEqual([]);
    expect(before.has('Ask')).toBe(false);
  });

  test('is confirmed by typing its identifier; anything else asks again', () => {
    const { Choices, Default } = stateOf('Confirmed?') as { Choices: { Condition: string }[]; Default: string };
    expect(Choices.map(({ Condition }) => Condition)).toEqual([`{% $states.input.confirm = '${INSTANCE}' %}`]);
    expect(Default).toBe('Ask');
    expect(argumentsOf('Ask').MessageBody).toMatchObject({ confirmWith: INSTANCE });
  });

  test('is kept under another name, and never deleted', () => {
    expect(argumentsOf('Set aside')).toMatchObject({
      DbInstanceIdentifier: INSTANCE,
      NewDBInstanceIdentifier: '{% $former %}',
    });
    expect(JSON.stringify(states)).not.toMatch(/deleteDBInstance/i);
  });
});

test('a database without a proxy is recovered without one', () => {
  const without = recoveryDefinition({ ...props, proxyName: undefined });
  expect(JSON.stringify(without)).not.toContain('Proxy');
  expect(Object.keys(without.States)).toHaveLength(Object.keys(states).length - 2);
});

test('the password goes through a function, and so never into the history of the workflow', () => {
  expect(JSON.stringify(states)).not.toContain('"MasterUserPassword"');
  expect(argumentsOf('Reset password')).toEqual({
    FunctionName: 'reset-password',
    Payload: { database: 'billing', instanceIdentifier: '{% $recovered %}', dryRun: false },
  });
});

describe('in the template', () => {
  const { operations } = templatesOf('production');

  test('there is one workflow for each database that the stack makes', () => {
    const machines = Object.values(resourcesOf(operations, 'AWS::StepFunctions::StateMachine'));
    expect(machines.map(({ Properties }) => Properties.StateMachineName)).toEqual([
      'BillingOps-production-recover-billing',
      'BillingOps-production-recover-main',
    ]);
    expect(Object.keys(resourcesOf(templatesOf('local').operations, 'AWS::StepFunctions::StateMachine'))).toEqual([]);
  });

  test('the workflow may change no instance of the other database', () => {
    const policy = JSON.stringify(resourceLike(operations, 'AWS::IAM::Policy', 'MainRecoveryRole').Properties);
    expect(policy).toContain('db:billing-operations-production-main');
    expect(policy).not.toContain('production-billing');
  });

  test('the function that sets passwords may set those of recovered instances only', () => {
    const policy = resourceLike(operations, 'AWS::IAM::Policy', 'ResetPassword').Properties;
    const { Statement } = policy.PolicyDocument as { Statement: { Action: unknown; Resource: unknown }[] };
    const modifying = Statement.filter(({ Action }) => [Action].flat().includes('rds:ModifyDBInstance'));
    const resources = modifying.flatMap(({ Resource }) => Resource);
    expect(resources).toHaveLength(2);
    for (const resource of resources) {
      expect(JSON.stringify(resource)).toMatch(/db:billing-operations-production-(billing|main)-recovered-\*/);
    }
  });
});
