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
const request = { database: 'billing', instanceIdentifier: 'billing-recovered-1', dryRun: false } as const;
const dependencies = { rds: new RDSClient({ region: 'eu-central-1' }), secrets, secretArn };

beforeEach(() => {
  rds.reset();
  reads.length = 0;
});

test('the instance gets the current password of the secret, and the answer does not contain it', async () => {
  rds.on(ModifyDBInstanceCommand).resolves({});
  const report = await resetPassword(dependencies, request);
  expect(reads).toEqual([[secretArn, 'current']]);
  expect(rds.commandCalls(ModifyDBInstanceCommand)[0]?.args[0].input).toEqual({
    DBInstanceIdentifier: 'billing-recovered-1',
    MasterUserPassword: 'current',
    ApplyImmediately: true,
  });
  expect(JSON.stringify(report)).not.toContain('current');
});

test('an error of RDS is retryable, and names the instance but not the password', async () => {
  rds.on(ModifyDBInstanceCommand).rejects(new Error('InvalidDBInstanceState'));
  await expect(resetPassword(dependencies, request)).rejects.toMatchObject({
    code: 'rds_unavailable',
    retryable: true,
    message: expect.stringMatching(
      /^RDS cannot set the password of billing-recovered-1: InvalidDBInstanceState\. Wait until the instance is available/,
    ) as string,
  });
});

test('a dry run reads the secret and leaves the instance alone', async () => {
  expect(await resetPassword(dependencies, { ...request, dryRun: true })).toEqual({
    ...request,
    passwordSet: false,
    dryRun: true,
  });
  expect(reads).toEqual([[secretArn, 'current']]);
  expect(rds.calls()).toEqual([]);
});

test('the password of a role that is not the master user is left as it is, because RDS would set that of the master user', async () => {
  rds.on(ModifyDBInstanceCommand).resolves({});
  expect(await resetPassword(dependencies, { ...request, masterUsername: 'postgres' })).toMatchObject({
    passwordSet: false,
  });
  expect(rds.calls()).toEqual([]);
  expect(await resetPassword(dependencies, { ...request, masterUsername: 'billing_admin' })).toMatchObject({
    passwordSet: true,
  });
  expect(rds.commandCalls(ModifyDBInstanceCommand)).toHaveLength(1);
});
