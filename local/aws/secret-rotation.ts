import { randomBytes } from 'node:crypto';
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceNotFoundException,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { Client } from 'pg';
import type { RotationEvent, RotationFunction } from './secrets-manager';

/**
 * Stands in for the rotation functions that AWS hosts, `SecretsManagerRDSPostgreSQLRotationMultiUser` and `…SingleUser`, step by
 * step as AWS publishes them: their checks, which version each step reads, and which user connects to the database.
 */
export interface RotationOptions {
  readonly secrets: SecretsManagerClient;
  /** Authority of the certificate of the database. */
  readonly ca: string;
}

/** What the functions read of a secret. */
interface DatabaseSecret {
  readonly engine: string;
  readonly host: string;
  readonly port: number;
  readonly dbname: string;
  readonly username: string;
  readonly password: string;
  /** Secret of the user who changes the password; without it, the user changes its own. */
  readonly masterarn?: string;
}

const CLONE = '_clone';
const PASSWORD_BYTES = 24;

/** The other user of a pair. */
function alternate(username: string): string {
  return username.endsWith(CLONE) ? username.slice(0, -CLONE.length) : username + CLONE;
}

/** The rotation function of a secret: of alternating users where the secret names a master, else of its single user. */
export function rotationFunction(options: RotationOptions): RotationFunction {
  const rotation = new Rotation(options);
  return (event) => rotation.take(event);
}

class Rotation {
  constructor(private readonly options: RotationOptions) {}

  async take({ Step: step, SecretId: arn, ClientRequestToken: token }: RotationEvent): Promise<void> {
    const { VersionIdsToStages: versions = {} } = await this.describe(arn);
    const stages = versions[token];
    if (stages === undefined) throw new Error(`Secret version ${token} has no stage for rotation of secret ${arn}.`);
    if (stages.includes('AWSCURRENT')) return;
    if (!stages.includes('AWSPENDING'))
      throw new Error(`Secret version ${token} not set as AWSPENDING of secret ${arn}.`);
    await this[step](arn, token);
  }

  private async createSecret(arn: string, token: string): Promise<void> {
    const current = await this.read(arn, 'AWSCURRENT');
    if ((await this.readIfThere(arn, 'AWSPENDING', token)) !== undefined) return;
    const username = current.masterarn === undefined ? current.username : alternate(current.username);
    const pending = { ...current, username, password: randomBytes(PASSWORD_BYTES).toString('hex') };
    await this.options.secrets.send(
      new PutSecretValueCommand({
        SecretId: arn,
        ClientRequestToken: token,
        SecretString: JSON.stringify(pending),
        VersionStages: ['AWSPENDING'],
      }),
    );
  }

  private async setSecret(arn: string, token: string): Promise<void> {
    const [current, pending] = [await this.read(arn, 'AWSCURRENT'), await this.read(arn, 'AWSPENDING', token)];
    if (await this.canConnect(pending)) return;
    if (current.masterarn === undefined) return this.setPassword(current, pending);
    if (alternate(current.username) !== pending.username) {
      throw new Error(
        `Attempting to modify user ${pending.username} other than current user or clone ${current.username}`,
      );
    }
    if (current.host !== pending.host) throw new Error('Attempting to modify user for another host');
    if (!(await this.canConnect(current))) {
      throw new Error(`Unable to log into database using current credentials for secret ${arn}`);
    }
    const master = await this.read(current.masterarn, 'AWSCURRENT');
    if (current.host !== master.host) throw new Error('Current database host is not the same host as that of master');
    await this.setPassword({ ...master, dbname: current.dbname }, pending, current.username);
  }

  private async testSecret(arn: string, token: string): Promise<void> {
    await this.query(await this.read(arn, 'AWSPENDING', token), 'SELECT NOW()');
  }

  private async finishSecret(arn: string, token: string): Promise<void> {
    const { VersionIdsToStages: versions = {} } = await this.describe(arn);
    const current = Object.entries(versions).find(([, stages]) => stages.includes('AWSCURRENT'))?.[0];
    if (current === token) return;
    await this.options.secrets.send(
      new UpdateSecretVersionStageCommand({
        SecretId: arn,
        VersionStage: 'AWSCURRENT',
        MoveToVersionId: token,
        RemoveFromVersionId: current,
      }),
    );
  }

  /** A clone that does not exist is made a member of the user that it takes turns with. */
  private async setPassword(by: DatabaseSecret, to: DatabaseSecret, original?: string): Promise<void> {
    const client = await this.connect(by);
    try {
      const [user, password] = [client.escapeIdentifier(to.username), client.escapeLiteral(to.password)];
      const { rowCount } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [to.username]);
      if (rowCount === 0 && original !== undefined) {
        await client.query(`CREATE ROLE ${user} WITH LOGIN PASSWORD ${password}`);
        await client.query(`GRANT ${client.escapeIdentifier(original)} TO ${user}`);
      } else await client.query(`ALTER USER ${user} WITH PASSWORD ${password}`);
    } finally {
      await client.end();
    }
  }

  private async describe(arn: string) {
    return this.options.secrets.send(new DescribeSecretCommand({ SecretId: arn }));
  }

  private async read(arn: string, stage: string, token?: string): Promise<DatabaseSecret> {
    const command = new GetSecretValueCommand({ SecretId: arn, VersionStage: stage, VersionId: token });
    const secret = JSON.parse((await this.options.secrets.send(command)).SecretString ?? '') as DatabaseSecret;
    if (secret.engine !== 'postgres') throw new Error('Database engine must be set to postgres');
    return secret;
  }

  private async readIfThere(arn: string, stage: string, token: string): Promise<DatabaseSecret | undefined> {
    return this.read(arn, stage, token).catch((error: unknown) => {
      if (error instanceof ResourceNotFoundException) return undefined;
      throw error;
    });
  }

  private async connect({ host, port, dbname, username, password }: DatabaseSecret): Promise<Client> {
    const client = new Client({ host, port, database: dbname, user: username, password, ssl: { ca: this.options.ca } });
    await client.connect();
    return client;
  }

  private async query(secret: DatabaseSecret, sql: string): Promise<void> {
    const client = await this.connect(secret);
    await client.query(sql).finally(() => void client.end());
  }

  private async canConnect(secret: DatabaseSecret): Promise<boolean> {
    return this.query(secret, 'SELECT 1').then(
      () => true,
      () => false,
    );
  }
}
