import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { startSecretsManager, type SecretsManager } from '../../local/aws/secrets-manager';

const ARN = 'arn:aws:secretsmanager:eu-central-1:000000000000:secret:billing/db-AbCd12';

let service: SecretsManager;
let client: SecretsManagerClient;

beforeEach(async () => {
  service = await startSecretsManager();
  const credentials = { accessKeyId: 'x', secretAccessKey: 'x' };
  client = new SecretsManagerClient({ endpoint: service.endpoint, region: 'eu-central-1', credentials });
  service.put(ARN, { password: 'first' });
});
afterEach(async () => {
  client.destroy();
  await service.stop();
});

test.each([
  ['ARN', ARN],
  ['name', 'billing/db'],
])('a secret is read by its %s', async (_by, id) => {
  const secret = await client.send(new GetSecretValueCommand({ SecretId: id }));

  expect(secret).toMatchObject({ ARN, Name: 'billing/db', SecretString: '{"password":"first"}' });
});

test('after a rotation the new value is current and the old one previous', async () => {
  await client.send(new PutSecretValueCommand({ SecretId: ARN, SecretString: 'second' }));

  const current = await client.send(new GetSecretValueCommand({ SecretId: ARN }));
  const previous = await client.send(new GetSecretValueCommand({ SecretId: ARN, VersionStage: 'AWSPREVIOUS' }));
  const described = await client.send(new DescribeSecretCommand({ SecretId: ARN }));

  expect([current.SecretString, previous.SecretString]).toEqual(['second', '{"password":"first"}']);
  expect(Object.values(described.VersionIdsToStages ?? {}).flat()).toEqual(['AWSCURRENT', 'AWSPREVIOUS']);
});

test('a pending value is read by its stage alone, and becomes current with the stage', async () => {
  const { VersionId: former } = await client.send(new GetSecretValueCommand({ SecretId: ARN }));
  const pending = { SecretId: ARN, SecretString: 'second', VersionStages: ['AWSPENDING'] };
  const { VersionId: next } = await client.send(new PutSecretValueCommand(pending));
  const read = async (VersionStage: string) =>
    (await client.send(new GetSecretValueCommand({ SecretId: ARN, VersionStage }))).SecretString;
  expect([await read('AWSCURRENT'), await read('AWSPENDING')]).toEqual(['{"password":"first"}', 'second']);

  const update = (VersionStage: string, MoveToVersionId?: string, RemoveFromVersionId?: string) =>
    client.send(
      new UpdateSecretVersionStageCommand({ SecretId: ARN, VersionStage, MoveToVersionId, RemoveFromVersionId }),
    );
  await expect(update('AWSCURRENT', next)).rejects.toMatchObject({ name: 'InvalidParameterException' });
  await update('AWSCURRENT', next, former);
  await update('AWSPENDING', undefined, next);
  expect([await read('AWSCURRENT'), await read('AWSPREVIOUS')]).toEqual(['second', '{"password":"first"}']);
  await expect(read('AWSPENDING')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
});

test('a secret that is not there is an error of its own', async () => {
  const reading = client.send(new GetSecretValueCommand({ SecretId: 'nothing' }));

  await expect(reading).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
});

test('an action that is not served says so', async () => {
  const creating = client.send(new CreateSecretCommand({ Name: 'billing/db' }));

  await expect(creating).rejects.toMatchObject({
    name: 'InvalidRequestException',
    message: expect.stringContaining('CreateSecret'),
  });
});
