import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, type ScalarTag } from 'yaml';
import packageJson from '../../package.json';
import { resourcesOf, templatesOf } from '../lib/support';

const read = (file: string) => readFileSync(path.resolve(__dirname, '../..', file), 'utf8');
/** CloudFormation's short forms, as their text. */
const customTags: ScalarTag[] = ['!Sub', '!Ref', '!GetAtt'].map((tag) => ({ tag, resolve: (text: string) => text }));

interface RoleTemplate {
  readonly Resources: {
    readonly DeployRole: {
      readonly Properties: {
        readonly AssumeRolePolicyDocument: { readonly Statement: readonly Record<string, unknown>[] };
        readonly Policies: readonly {
          readonly PolicyDocument: { readonly Statement: readonly Record<string, unknown>[] };
        }[];
      };
    };
  };
}

test('the role of the example pipeline is assumed by one environment of one repository, and only assumes bootstrap roles', () => {
  const template = parse(read('examples/delivery/deploy-role.yaml'), { customTags }) as RoleTemplate;
  const { AssumeRolePolicyDocument, Policies } = template.Resources.DeployRole.Properties;
  expect(AssumeRolePolicyDocument.Statement).toEqual([
    expect.objectContaining({
      Action: 'sts:AssumeRoleWithWebIdentity',
      Condition: {
        StringEquals: {
          'token.actions.githubusercontent.com:aud': 'sts.amazonaws.com',
          'token.actions.githubusercontent.com:sub': 'repo:${Repository}:environment:${Environment}',
        },
      },
    }),
  ]);
  expect(Policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement)).toEqual([
    {
      Effect: 'Allow',
      Action: 'sts:AssumeRole',
      Resource: 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/cdk-${Qualifier}-*',
    },
  ]);
});

test('the example tells of costs: a budget of what the stacks tag, before and at its end, and anomalies of every service', () => {
  const { Resources } = parse(read('examples/delivery/deploy-role.yaml'), { customTags }) as {
    readonly Resources: Readonly<Record<'Budget' | 'Anomalies' | 'AnomalyAlerts', { readonly Properties: object }>>;
  };
  const reader = [{ SubscriptionType: 'EMAIL', Address: 'Email' }];
  expect(Resources.Budget.Properties).toMatchObject({
    Budget: { TimeUnit: 'MONTHLY', BudgetLimit: { Amount: 'Monthly' } },
    NotificationsWithSubscribers: [
      { Notification: { NotificationType: 'FORECASTED', Threshold: 100 }, Subscribers: reader },
      { Notification: { NotificationType: 'ACTUAL', Threshold: 80 }, Subscribers: reader },
    ],
  });
  const [filter = ''] = (Resources.Budget.Properties as { Budget: { CostFilters: { TagKeyValue: string[] } } }).Budget
    .CostFilters.TagKeyValue;
  const [Key, Value] = filter.replace('user:', '').split('$');
  const [bucket] = Object.values(resourcesOf(templatesOf('staging').data, 'AWS::S3::Bucket'));
  expect(bucket?.Properties.Tags).toContainEqual({ Key, Value });
  expect(Resources.Anomalies.Properties).toMatchObject({ MonitorType: 'DIMENSIONAL', MonitorDimension: 'SERVICE' });
  expect(Resources.AnomalyAlerts.Properties).toMatchObject({
    MonitorArnList: ['Anomalies'],
    Subscribers: [{ Type: 'EMAIL', Address: 'Email' }],
  });
});

test('the example pipeline runs scripts that there are, and deploys one named environment a job', () => {
  const { jobs } = parse(read('examples/delivery/deploy.yaml')) as {
    jobs: Record<string, { environment?: string; env?: { OPS_ENV: string }; steps: { run?: string }[] }>;
  };
  const lines = Object.values(jobs).flatMap(({ steps }) => steps.flatMap(({ run }) => run ?? []));
  const scripts = lines.flatMap((line) => /^npm run (\S+)/.exec(line)?.[1] ?? []);
  expect(scripts).toEqual(['test:policy', 'synth']);
  expect(scripts.filter((script) => !(script in packageJson.scripts))).toEqual([]);
  for (const name of ['staging', 'production']) {
    expect(jobs[name]).toMatchObject({ environment: name, env: { OPS_ENV: name } });
  }
  expect(lines.filter((line) => line.startsWith('npx cdk deploy'))).toEqual([
    'npx cdk deploy -c env=$OPS_ENV --all --require-approval never',
    'npx cdk deploy -c env=$OPS_ENV --all --require-approval never',
  ]);
});
