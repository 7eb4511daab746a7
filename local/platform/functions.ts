import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { LOGIN_USERS, type FunctionLogin } from '../../core/access/contract';
import type { LocalDatabaseServer } from '../postgres/databases';
import { LocalFunction, type Surroundings } from '../aws/lambda-runtime';
import { rotationFunction } from '../aws/secret-rotation';
import type { SecretsManager } from '../aws/secrets-manager';
import type { FunctionDefinition } from '../template/platform-template';
import { REGION } from './template-addresses';

/** The template's functions, each ready to be invoked. */
export class PlatformFunctions {
  readonly all: readonly LocalFunction[];

  constructor(definitions: readonly FunctionDefinition[], surroundings: Surroundings) {
    this.all = definitions.map((definition) => new LocalFunction(definition, surroundings));
  }

  /** The function of a folder in `lambdas/`: its name ends in the folder's. @throws when there is none */
  byStem(stem: string): LocalFunction {
    return this.find(`"${stem}"`, ({ name }) => name.endsWith(`-${stem}`));
  }

  /** @throws when the template has no such function */
  byArn(functionArn: string): LocalFunction {
    return this.find(functionArn, ({ arn }) => arn === withoutQualifier(functionArn, FUNCTION_ARN_PARTS));
  }

  /** @throws when the template has no such function */
  byName(functionName: string): LocalFunction {
    return this.find(functionName, ({ name }) => name === withoutQualifier(functionName, 1));
  }

  /** Ends every instance of every function. */
  stop(): void {
    for (const each of this.all) each.stop();
  }

  private find(description: string, matches: (definition: FunctionDefinition) => boolean): LocalFunction {
    const found = this.all.find(({ definition }) => matches(definition));
    if (found === undefined) throw new Error(`The template has no function ${description}.`);
    return found;
  }
}

/** Parts of the ARN of a function, of which an alias is one more. */
const FUNCTION_ARN_PARTS = 7;

/** A name or ARN without version or alias: here there is one version of each function. */
function withoutQualifier(name: string, parts: number): string {
  return name.split(':').slice(0, parts).join(':');
}

/**
 * Gives the secrets of the databases and of the logins of functions their values, and has them rotate when asked to; each database
 * follows its secret.
 *
 * @param client reads and writes the secrets in a rotation
 * @param logins ARNs of the secrets of logins, by database
 */
export function fillDatabaseSecrets(
  secrets: SecretsManager,
  client: SecretsManagerClient,
  databases: readonly LocalDatabaseServer[],
  logins: Readonly<Record<string, Readonly<Record<string, string>>>>,
): void {
  for (const server of databases) {
    const { name, cluster, secretArn, credentials } = server;
    const rotation = rotationFunction({ secrets: client, ca: readFileSync(cluster.caFile ?? '', 'utf8') });
    const place = { engine: 'postgres', host: cluster.host, port: cluster.port, dbname: name, ssl: true };
    const fill = (arn: string, value: object): void => {
      secrets.put(arn, { ...place, ...value });
      secrets.rotateBy(arn, rotation);
    };
    fill(secretArn, credentials);
    server.followSecret(() => secrets.current(secretArn));
    for (const [login, arn] of Object.entries(logins[name] ?? {})) {
      const username = LOGIN_USERS[name][login as FunctionLogin];
      fill(arn, { username, password: randomBytes(24).toString('hex'), masterarn: secretArn });
    }
  }
}

/**
 * Gives each secret its value: those of the databases and of the logins of functions, two each of Stripe and Tilled, and that of the keys, found by
 * the functions that read them. Passwords rotate as they do in AWS, when asked to.
 */
export function fillSecrets(
  secrets: SecretsManager,
  databases: readonly LocalDatabaseServer[],
  functions: PlatformFunctions,
  stripe: { readonly signingSecret: string; readonly apiKey: string },
  tilled: { readonly signingSecret: string; readonly apiKey: string; readonly account: string },
): void {
  const variableIn = (stem: string, variable: string): string => {
    const value = functions.byStem(stem).definition.environment[variable];
    if (value === undefined) throw new Error(`Function ${stem} has no ${variable}.`);
    return value;
  };
  const client = new SecretsManagerClient({
    endpoint: secrets.endpoint,
    region: REGION,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  const logins = JSON.parse(variableIn('migrate', 'LOGIN_SECRETS')) as Record<string, Record<string, string>>;
  fillDatabaseSecrets(secrets, client, databases, logins);
  secrets.put(variableIn('webhook', 'STRIPE_SIGNING_SECRET_ARN'), { current: stripe.signingSecret });
  secrets.put(variableIn('reconciliation', 'STRIPE_API_SECRET_ARN'), { apiKey: stripe.apiKey });
  secrets.put(variableIn('webhook', 'TILLED_SIGNING_SECRET_ARN'), { current: tilled.signingSecret });
  secrets.put(variableIn('reconciliation', 'TILLED_API_SECRET_ARN'), {
    apiKey: tilled.apiKey,
    accounts: [tilled.account],
  });
  secrets.put(variableIn('erasure', 'ERASURE_KEY_SECRET_ARN'), { key: randomBytes(32).toString('hex') });
  secrets.put(variableIn('api', 'API_KEY_SECRET_ARN'), { current: randomBytes(32).toString('hex') });
}
