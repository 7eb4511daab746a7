import type { EnvironmentConfig } from '../../../lib/config/environment-schema';
import { exampleEnvironment } from '../../support/example-environments';
import { resourcesOf } from '../support';
import { synthesise } from '../synthesise';

/** As long as a name may be, with a hyphen. */
const config: EnvironmentConfig = { ...exampleEnvironment('production'), name: 'production-eu1' };
const templates = Object.values(synthesise(config)).flatMap((template) => template ?? []);

/** What AWS accepts, by type and property. */
const FORMS: readonly [string, string, RegExp][] = [
  ['AWS::Lambda::Function', 'FunctionName', /^[\w-]{1,64}$/],
  ['AWS::RDS::DBInstance', 'DBInstanceIdentifier', /^[a-z]([a-z0-9]|-(?!-)){0,61}[a-z0-9]$/],
  ['AWS::RDS::DBProxy', 'DBProxyName', /^[A-Za-z](-?[A-Za-z0-9]+){0,62}$/],
  ['AWS::RDS::DBSubnetGroup', 'DBSubnetGroupName', /^[a-z0-9 ._-]{1,255}$/],
  ['AWS::RDS::DBParameterGroup', 'DBParameterGroupName', /^[a-z]([a-z0-9]|-(?!-)){0,253}[a-z0-9]$/],
  ['AWS::S3::Bucket', 'BucketName', /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/],
  ['AWS::Backup::BackupVault', 'BackupVaultName', /^[\w-]{2,50}$/],
  ['AWS::Backup::RestoreTestingPlan', 'RestoreTestingPlanName', /^\w{1,50}$/],
  ['AWS::SQS::Queue', 'QueueName', /^[\w-]{1,80}$/],
  ['AWS::StepFunctions::StateMachine', 'StateMachineName', /^[\w-]{1,80}$/],
  ['AWS::ElastiCache::ServerlessCache', 'ServerlessCacheName', /^[a-z]([a-z0-9]|-(?!-)){0,38}[a-z0-9]$/],
  ['AWS::CloudWatch::Alarm', 'AlarmName', /^[\w-]{1,255}$/],
  ['AWS::ApiGateway::Stage', 'StageName', /^[\w-]{1,128}$/],
  ['AWS::WAFv2::WebACL', 'Name', /^[\w-]{1,128}$/],
];

test.each(FORMS)('the longest name of an environment leaves %s.%s within what AWS accepts', (type, property, form) => {
  const names = templates
    .flatMap((template) => Object.values(resourcesOf(template, type)))
    .map(({ Properties }) => Properties[property])
    .filter((name) => typeof name === 'string');
  for (const name of names) expect(name).toMatch(form);
  expect(names.length).toBeGreaterThan(0);
});
