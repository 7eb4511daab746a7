import { ModifyDBInstanceCommand, RDSClient } from '@aws-sdk/client-rds';
import { mockClient } from 'aws-sdk-client-mock';
import { resetPassword } from '../../../lambdas/reset-password/core';
import type { Secrets, SecretVersion } from '../../../core/runtime/secrets';

const rds = mockClient(RDSClient);
const secretArn = 'arn:aws:secretsmanager:eu-central-1:111111111111:secret:billing-AbCdEf';
const reads: [string, SecretVersion | undefined][] = [];
const secrets: Secrets = {
  async read(arn, schema, version) {
    reads.push([arn, version]);
    return schema.parse({ username: 'billing_admin', password: 'current' });
  },
};
const dependencies = { rds: new RDSClient({ region: 'eu-central-1' }), secrets, secretArn };

beforeEach(() => {
  rds.reset();
  reads.length = 0;
});

test('the instance gets the password that the secret has at that moment, and the answer does not tell it', async () => {
  rds.on(ModifyDBInstanceCommand).resolves({});
  const report = await resetPassword(dependencies, 'billing-recovered-1');
  expect(reads).toEqual([[secretArn, 'current']]);
  expect(rds.commandCalls(ModifyDBInstanceCommand)[0]?.args[0].input).toEqual({
    DBInstanceIdentifier: 'billing-recovered-1',
    MasterUserPassword: 'current',
    ApplyImmediately: true,
  });
  expect(JSON.stringify(report)).not.toContain('current');
});

test('a refusal of RDS can be tried again, and names the instance but not the password', async () => {
  rds.on(ModifyDBInstanceCommand).rejects(new Error('InvalidDBInstanceState'));
  await expect(resetPassword(dependencies, 'billing-recovered-1')).rejects.toMatchObject({
    code: 'rds_unavailable',
    retryable: true,
    message: 'RDS cannot set the password of billing-recovered-1: InvalidDBInstanceState',
  });
});
