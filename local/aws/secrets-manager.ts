import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readBody, startHttpServer } from '../runtime/http-server';

/** A stand-in for Secrets Manager on loopback: enough of it for functions that read their secrets. */
export interface SecretsManager {
  /** For `AWS_ENDPOINT_URL_SECRETS_MANAGER`. */
  readonly endpoint: string;
  /** Creates a secret, or gives it a new current value. */
  put(arn: string, value: object): void;
  readonly stop: () => Promise<void>;
}

interface Secret {
  readonly arn: string;
  readonly versions: { readonly id: string; readonly value: string; readonly createdAt: number }[];
}

/** Twice what Secrets Manager takes as a value: JSON may escape it. */
const MAX_REQUEST_BYTES = 2 * 65_536;

/** The supported actions. */
const ACTIONS = ['GetSecretValue', 'PutSecretValue', 'DescribeSecret', 'ListSecretVersionIds'];

/** Stages of a secret's versions, newest first. */
const STAGES = ['AWSCURRENT', 'AWSPREVIOUS'];

/** An error in the shape of the JSON 1.1 protocol; the SDK makes an exception of this name from it. */
class ServiceError extends Error {
  constructor(
    readonly type: string,
    message: string,
  ) {
    super(message);
  }
}

/** Name of a secret, which is its ARN without the six characters that Secrets Manager adds. */
function nameOf(arn: string): string {
  return (arn.split(':').at(-1) ?? arn).replace(/-[A-Za-z0-9]{6}$/, '');
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const body = await readBody(request, MAX_REQUEST_BYTES);
  if (body === undefined) throw new ServiceError('InvalidRequestException', `At most ${MAX_REQUEST_BYTES} bytes.`);
  try {
    return JSON.parse(body.toString('utf8')) as Record<string, unknown>;
  } catch (error) {
    throw new ServiceError('SerializationException', (error as Error).message);
  }
}

/** The secrets and the actions on them. */
class Store {
  private readonly secrets = new Map<string, Secret>();

  put(arn: string, value: string): string {
    const secret = this.secrets.get(arn) ?? { arn, versions: [] };
    const id = randomUUID();
    secret.versions.unshift({ id, value, createdAt: Date.now() / 1000 });
    this.secrets.set(arn, secret);
    return id;
  }

  act(action: string, input: Record<string, unknown>): object {
    if (!ACTIONS.includes(action)) {
      throw new ServiceError('InvalidRequestException', `This stand-in for Secrets Manager has no ${action}.`);
    }
    const secret = this.find(input.SecretId);
    const identity = { ARN: secret.arn, Name: nameOf(secret.arn) };
    switch (action) {
      case 'GetSecretValue': {
        const { position, stage } = versionOf(secret, input);
        const version = secret.versions[position];
        if (version === undefined) throw notFound(`Secrets Manager can't find the specified secret value: ${stage}`);
        return {
          ...identity,
          VersionId: version.id,
          SecretString: version.value,
          VersionStages: [stage],
          CreatedDate: version.createdAt,
        };
      }
      case 'PutSecretValue': {
        if (typeof input.SecretString !== 'string') {
          throw new ServiceError('InvalidParameterException', 'This stand-in stores SecretString only.');
        }
        return { ...identity, VersionId: this.put(secret.arn, input.SecretString), VersionStages: ['AWSCURRENT'] };
      }
      case 'ListSecretVersionIds':
        return {
          ...identity,
          Versions: secret.versions.slice(0, STAGES.length).map(({ id, createdAt }, position) => ({
            VersionId: id,
            VersionStages: [STAGES[position]],
            CreatedDate: createdAt,
          })),
        };
      // DescribeSecret
      default: {
        const recent = secret.versions.slice(0, STAGES.length);
        const stages = Object.fromEntries(recent.map(({ id }, position) => [id, [STAGES[position]]]));
        return { ...identity, VersionIdsToStages: stages };
      }
    }
  }

  private find(id: unknown): Secret {
    const match = [...this.secrets.values()].find(({ arn }) => arn === id || nameOf(arn) === id);
    if (match === undefined) {
      throw notFound(`Secrets Manager can't find the specified secret: ${String(id)}`);
    }
    return match;
  }
}

function notFound(message: string): ServiceError {
  return new ServiceError('ResourceNotFoundException', message);
}

/** The requested version: by its id, or by a stage. */
function versionOf(secret: Secret, input: Record<string, unknown>): { position: number; stage: string } {
  if (typeof input.VersionId === 'string') {
    const position = secret.versions.findIndex(({ id }) => id === input.VersionId);
    return { position, stage: STAGES[position] ?? input.VersionId };
  }
  const stage = typeof input.VersionStage === 'string' ? input.VersionStage : 'AWSCURRENT';
  return { position: STAGES.indexOf(stage), stage };
}

async function handle(store: Store, request: IncomingMessage, response: ServerResponse): Promise<void> {
  let status = 200;
  let body: object;
  try {
    const target = String(request.headers['x-amz-target'] ?? '');
    body = store.act(target.replace('secretsmanager.', ''), await readJson(request));
  } catch (error) {
    const known = error instanceof ServiceError;
    status = known ? 400 : 500;
    body = { __type: known ? error.type : 'InternalServiceError', message: (error as Error).message };
  }
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' });
  response.end(JSON.stringify(body));
}

/** Starts the stand-in on a free port. */
export async function startSecretsManager(): Promise<SecretsManager> {
  const store = new Store();
  const { url, stop } = await startHttpServer((request, response) => handle(store, request, response));
  return {
    endpoint: url,
    put(arn, value) {
      store.put(arn, JSON.stringify(value));
    },
    stop,
  };
}
