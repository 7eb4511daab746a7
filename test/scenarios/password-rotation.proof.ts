import {
  GetSecretValueCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { mockClient } from 'aws-sdk-client-mock';
import { randomBytes } from 'node:crypto';
import { createConnector, type DatabaseConnector } from '../../core/database/connector';
import { createSecrets } from '../../core/runtime/secrets';
import { asAdministrator, clusterTarget, createTestDatabase, type TestDatabase } from '../support/database';

/** Sessions that are opened at the same time, again and again, for as long as the password changes. */
const CLIENTS = 4;

const manager = mockClient(SecretsManagerClient);
const role = `rotating_${randomBytes(6).toString('hex')}`;

let database: TestDatabase;
let connector: DatabaseConnector;
/** The secret, by stage, as Secrets Manager keeps it. */
let stages: { AWSCURRENT: string; AWSPENDING?: string };

beforeAll(async () => {
  database = await createTestDatabase('billing');
});
afterAll(async () => {
  await database.drop();
  await asAdministrator((client) => client.query(`DROP ROLE IF EXISTS ${role}`));
});

beforeEach(async () => {
  stages = { AWSCURRENT: newPassword() };
  await asAdministrator(async (client) => {
    await client.query(`DROP ROLE IF EXISTS ${role}`);
    await client.query(`CREATE ROLE ${role} LOGIN PASSWORD '${stages.AWSCURRENT}'`);
  });
  manager.reset();
  manager
    .on(GetSecretValueCommand)
    .callsFake(({ VersionStage = 'AWSCURRENT' }: { VersionStage?: keyof typeof stages }) => {
      const password = stages[VersionStage];
      if (password === undefined) throw new ResourceNotFoundException({ message: 'no such stage', $metadata: {} });
      return { SecretString: JSON.stringify({ username: role, password }) };
    });
  // As a function has it: one for its life, with its memory of a minute.
  connector = createConnector(clusterTarget(database.name), createSecrets(), 'test');
});

function newPassword(): string {
  return randomBytes(16).toString('hex');
}

async function setPassword(password: string): Promise<void> {
  await asAdministrator((client) => client.query(`ALTER ROLE ${role} PASSWORD '${password}'`));
}

async function connectOnce(): Promise<void> {
  const client = await connector.connect();
  await client.query('SELECT 1');
  await client.end();
}

/** Opens sessions continuously until it is stopped. */
function startLoad() {
  const opened = { count: 0, failures: [] as unknown[] };
  let running = true;
  const clients = Array.from({ length: CLIENTS }, async () => {
    while (running) {
      await connectOnce().then(
        () => (opened.count += 1),
        (error: unknown) => opened.failures.push(error),
      );
    }
  });
  return {
    opened,
    /** Waits until that many more sessions were opened, or failed, in the present state. */
    async during(sessions: number): Promise<void> {
      const before = opened.count + opened.failures.length;
      while (opened.count + opened.failures.length < before + sessions) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    async stop(): Promise<void> {
      running = false;
      await Promise.all(clients);
    },
  };
}

test('no session fails while the password rotates under load, in the steps of the rotation function of AWS', async () => {
  const load = startLoad();
  try {
    for (let rotation = 0; rotation < 3; rotation += 1) {
      await load.during(2 * CLIENTS);
      // createSecret
      const password = newPassword();
      stages.AWSPENDING = password;
      await load.during(2 * CLIENTS);
      // setSecret: from here on the database accepts only the pending password.
      await setPassword(password);
      await load.during(5 * CLIENTS);
      // testSecret, finishSecret
      stages = { AWSCURRENT: password };
      await load.during(2 * CLIENTS);
    }
  } finally {
    await load.stop();
  }
  expect(load.opened.failures).toEqual([]);
  expect(load.opened.count).toBeGreaterThanOrEqual(3 * 11 * CLIENTS);
});

test('a session that was open before the rotation stays usable', async () => {
  const client = await connector.connect();
  await setPassword(newPassword());
  await expect(client.query('SELECT 1')).resolves.toMatchObject({ rowCount: 1 });
  await client.end();
});

test('a pending password that the database does not have, left by a rotation that failed, is not kept', async () => {
  await connectOnce();
  stages.AWSPENDING = newPassword();
  await connectOnce();
  const rotated = newPassword();
  await setPassword(rotated);
  stages.AWSCURRENT = rotated;
  await connectOnce();
  expect(manager.commandCalls(GetSecretValueCommand, { VersionStage: 'AWSPENDING' })).toHaveLength(0);
});

test('a password that no version of the secret has is refused, without a word of it', async () => {
  await setPassword(newPassword());
  const refusal: unknown = await connectOnce().catch((error: unknown) => error);
  expect(refusal).toMatchObject({ code: 'database_unavailable', retryable: true });
  expect(String(refusal)).toContain('password authentication failed');
  expect(JSON.stringify(refusal)).not.toContain(stages.AWSCURRENT);
});
