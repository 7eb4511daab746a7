import { MAX_BODY_BYTES } from '../../../lambdas/webhook/contract';
import { RATE_LIMIT_PER_ADDRESS } from '../../../lib/operations/web-acl';
import { resourceLike, resourcesOf, templatesOf, type Synthesised } from '../support';

interface Rule {
  readonly Name: string;
  readonly Priority: number;
  readonly Action?: Record<string, unknown>;
  readonly Statement: {
    readonly ManagedRuleGroupStatement?: {
      readonly Name: string;
      readonly Version?: string;
      readonly RuleActionOverrides: { Name: string; ActionToUse: Record<string, unknown> }[];
    };
    readonly RateBasedStatement?: Record<string, unknown>;
    readonly NotStatement?: unknown;
  };
}

const rulesOf = ({ operations }: Synthesised) =>
  resourceLike(operations, 'AWS::WAFv2::WebACL', 'WebAcl').Properties.Rules as Rule[];
const rules = rulesOf(templatesOf('production'));

test('the firewall is associated with the stage that Stripe delivers to', () => {
  const { operations } = templatesOf('production');
  const { ResourceArn, WebACLArn } = resourceLike(operations, 'AWS::WAFv2::WebACLAssociation', 'WebAcl').Properties;
  expect(JSON.stringify(ResourceArn)).toContain('/stages/');
  expect(JSON.stringify(WebACLArn)).toContain('WebAcl');
});

test('the managed rules block no body for its size or for free text of customers', () => {
  // The common rules refuse bodies above 8 KiB.
  expect(MAX_BODY_BYTES).toBeGreaterThan(8192);
  const managed = rules.flatMap(({ Statement }) => Statement.ManagedRuleGroupStatement ?? []);
  expect(managed.map(({ Name }) => Name)).toEqual([
    'AWSManagedRulesCommonRuleSet',
    'AWSManagedRulesKnownBadInputsRuleSet',
  ]);
  const overrides = managed.flatMap(({ RuleActionOverrides }) => RuleActionOverrides);
  expect(overrides.map(({ Name }) => Name)).toContain('SizeRestrictions_BODY');
  expect(overrides.filter(({ Name }) => !Name.endsWith('_BODY'))).toEqual([]);
  expect(overrides.filter(({ ActionToUse }) => !('Count' in ActionToUse))).toEqual([]);
});

test('the managed rules are of a fixed version, so that none blocks genuine events that did not before', () => {
  const managed = rules.flatMap(({ Statement }) => Statement.ManagedRuleGroupStatement ?? []);
  expect(managed.map(({ Version }) => Version)).toEqual(managed.map(() => expect.stringMatching(/^Version_\d+\.\d+$/)));
});

test('one address may use half of the rate of the API and is answered 429 above it', () => {
  const { operations } = templatesOf('production');
  const stage = resourceLike(operations, 'AWS::ApiGateway::Stage', 'Api').Properties;
  const [{ ThrottlingRateLimit }] = stage.MethodSettings as [{ ThrottlingRateLimit: number }];
  expect(RATE_LIMIT_PER_ADDRESS).toBe((ThrottlingRateLimit * 300) / 2);
  expect(rules.find(({ Name }) => Name === 'rate-per-address')).toMatchObject({
    Action: { Block: { CustomResponse: { ResponseCode: 429 } } },
    Statement: { RateBasedStatement: { AggregateKeyType: 'IP', Limit: RATE_LIMIT_PER_ADDRESS } },
  });
});

test('blocked requests are logged for a year, without signatures and keys', () => {
  const { operations } = templatesOf('production');
  expect(resourceLike(operations, 'AWS::WAFv2::LoggingConfiguration', 'WebAcl').Properties).toMatchObject({
    RedactedFields: [{ SingleHeader: { Name: 'stripe-signature' } }, { SingleHeader: { Name: 'authorization' } }],
    LoggingFilter: { DefaultBehavior: 'DROP' },
  });
  expect(resourceLike(operations, 'AWS::Logs::LogGroup', 'WebAcl').Properties).toMatchObject({
    LogGroupName: { 'Fn::Join': ['', expect.arrayContaining(['aws-waf-logs-BillingOps-production-'])] },
    RetentionInDays: 365,
  });
});

describe('the entitlement cache', () => {
  const { operations } = templatesOf('production');

  test('admits only TLS, and only the functions that use it', () => {
    const { Variables } = resourceLike(operations, 'AWS::Lambda::Function', 'Entitlements').Properties.Environment as {
      Variables: Record<string, unknown>;
    };
    expect(JSON.stringify(Variables.CACHE_URL)).toContain('rediss://');
    const letIn = Object.entries(resourcesOf(operations, 'AWS::EC2::SecurityGroupIngress')).filter(([id]) =>
      id.startsWith('EntitlementCache'),
    );
    for (const [, { Properties }] of letIn) expect([Properties.FromPort, Properties.ToPort]).toEqual([6379, 6379]);
    const users = [
      'api',
      'entitlements',
      'payouts',
      'processor',
      'reconciliation',
      'refresh',
      'replay',
      'row-recovery',
    ];
    expect(letIn.map(([, { Properties }]) => String(Properties.Description)).toSorted()).toEqual(
      users.map((stem) => `${stem} reads and writes entitlements`),
    );
  });

  test('lets in one user, known by IAM, to the keys of entitlements alone', () => {
    const cache = resourceLike(operations, 'AWS::ElastiCache::ServerlessCache', 'Cache').Properties;
    const [userId] = Object.keys(resourcesOf(operations, 'AWS::ElastiCache::User'));
    const user = resourceLike(operations, 'AWS::ElastiCache::User', 'User').Properties;
    const group = resourceLike(operations, 'AWS::ElastiCache::UserGroup', 'Users').Properties;
    expect(group).toMatchObject({ Engine: 'valkey', UserIds: [{ Ref: userId }] });
    expect(cache.UserGroupId).toEqual({ Ref: expect.stringContaining('EntitlementCacheUsers') });
    expect(user).toMatchObject({
      AuthenticationMode: { Type: 'iam' },
      // The functions sign for the cache by the name of the user.
      UserId: cache.ServerlessCacheName,
      UserName: cache.ServerlessCacheName,
      AccessString: expect.stringMatching(
        /^on ~entitlements:\* resetchannels -@all (\+(get|set|eval|hello|auth|ping|client\|setinfo) ?)+$/,
      ),
    });
    expect(String(user.UserId).length).toBeLessThanOrEqual(40);
  });

  test('is connected to by the roles of its users alone', () => {
    const connecting = Object.entries(resourcesOf(operations, 'AWS::IAM::Policy')).filter(([, { Properties }]) =>
      JSON.stringify(Properties).includes('elasticache:Connect'),
    );
    const [cacheId] = Object.keys(resourcesOf(operations, 'AWS::ElastiCache::ServerlessCache'));
    const [userId] = Object.keys(resourcesOf(operations, 'AWS::ElastiCache::User'));
    expect(connecting).toHaveLength(8);
    for (const [, { Properties }] of connecting) {
      const { Statement } = Properties.PolicyDocument as { Statement: { Action: unknown; Resource: unknown }[] };
      expect(Statement.find(({ Action }) => Action === 'elasticache:Connect')?.Resource).toEqual([
        { 'Fn::GetAtt': [cacheId, 'ARN'] },
        { 'Fn::GetAtt': [userId, 'Arn'] },
      ]);
    }
  });

  test('has limits that cap its cost', () => {
    expect(resourceLike(operations, 'AWS::ElastiCache::ServerlessCache', 'Cache').Properties).toMatchObject({
      Engine: 'valkey',
      CacheUsageLimits: { DataStorage: { Maximum: 1, Unit: 'GB' } },
    });
  });

  test('exists only where the environment has one', () => {
    const { operations: dev } = templatesOf('dev');
    expect(Object.keys(resourcesOf(dev, 'AWS::ElastiCache::ServerlessCache'))).toEqual([]);
    const { Variables } = resourceLike(dev, 'AWS::Lambda::Function', 'Entitlements').Properties.Environment as {
      Variables: Record<string, unknown>;
    };
    expect(Variables.CACHE_URL).toBe('');
  });
});
