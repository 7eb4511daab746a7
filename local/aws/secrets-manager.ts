import { randomUUID } from 'node:crypto';
import { ServiceError, startJsonService, type ServiceInput } from './json-service';

/** A stand-in for Secrets Manager on loopback: enough of it for functions that read their secrets. */
export interface SecretsManager {
  /** For `AWS_ENDPOINT_URL_SECRETS_MANAGER`. */
  readonly endpoint: string;
  /** Creates a secret, or gives it a new current value. */
  put(arn: string, value: object): void;
  /** The current value of a secret. @throws ServiceError where there is none */
  current(arn: string): unknown;
  /** Has `RotateSecret` change its value by the steps of a rotation function. */
  rotateBy(arn: string, step: RotationFunction): void;
  /** Has `DescribeSecret` say when it is rotated next; nothing rotates it then. Undefined: it has no schedule. */
  schedule(arn: string, next: Date | undefined): void;
  readonly stop: () => Promise<void>;
}

/** The steps of a rotation, in the order in which Secrets Manager takes them. */
export const ROTATION_STEPS = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const;
export type RotationStep = (typeof ROTATION_STEPS)[number];
/** What a rotation function is sent, under its published names. */
export interface RotationEvent {
  readonly Step: RotationStep;
  readonly SecretId: string;
  readonly ClientRequestToken: string;
}
export type RotationFunction = (event: RotationEvent) => Promise<void>;

interface Version {
  readonly id: string;
  /** Absent until the first step of a rotation has stored one. */
  value?: string;
  readonly createdAt: number;
  /** Such as `AWSCURRENT`; a version without one is deprecated, and no longer listed. */
  readonly stages: Set<string>;
}

interface Secret {
  readonly arn: string;
  rotation?: RotationFunction;
  next?: Date | undefined;
  versions: Version[];
}

/** Twice what Secrets Manager takes as a value: JSON may escape it. */
const MAX_REQUEST_BYTES = 2 * 65_536;

/** The supported actions. */
const ACTIONS = [
  'GetSecretValue',
  'PutSecretValue',
  'UpdateSecretVersionStage',
  'DescribeSecret',
  'ListSecretVersionIds',
  'RotateSecret',
];

const PENDING = 'AWSPENDING';

const CURRENT = 'AWSCURRENT';
const PREVIOUS = 'AWSPREVIOUS';

/** Name of a secret, which is its ARN without the six characters that Secrets Manager adds. */
function nameOf(arn: string): string {
  return (arn.split(':').at(-1) ?? arn).replace(/-[A-Za-z0-9]{6}$/, '');
}

/** The secrets and the actions on them. */
class Store {
  private readonly secrets = new Map<string, Secret>();

  put(
    arn: string,
    value: string | undefined,
    stages: readonly string[] = [CURRENT],
    id: string = randomUUID(),
  ): string {
    const secret = this.secrets.get(arn) ?? { arn, versions: [] };
    const known = secret.versions.find((one) => one.id === id);
    const version: Version = known ?? { id, createdAt: Date.now() / 1000, stages: new Set() };
    if (value !== undefined) version.value = value;
    if (known === undefined) secret.versions.unshift(version);
    for (const stage of stages) move(secret, stage, version);
    this.secrets.set(arn, secret);
    return version.id;
  }

  act(action: string, input: ServiceInput): object {
    if (!ACTIONS.includes(action)) {
      throw new ServiceError('InvalidRequestException', `This stand-in for Secrets Manager has no ${action}.`);
    }
    const secret = this.find(input.SecretId);
    const identity = { ARN: secret.arn, Name: nameOf(secret.arn) };
    switch (action) {
      case 'GetSecretValue': {
        const { id, value, createdAt, stages } = wantedVersion(secret, input);
        if (value === undefined) throw notFound(`Secrets Manager can't find the specified secret value: ${id}`);
        return { ...identity, VersionId: id, SecretString: value, VersionStages: [...stages], CreatedDate: createdAt };
      }
      case 'PutSecretValue': {
        const { SecretString: value, VersionStages: stages = [CURRENT], ClientRequestToken: token } = input;
        if (typeof value !== 'string') {
          throw new ServiceError('InvalidParameterException', 'This stand-in stores SecretString only.');
        }
        return {
          ...identity,
          VersionId: this.put(secret.arn, value, stages as string[], typeof token === 'string' ? token : undefined),
          VersionStages: stages,
        };
      }
      case 'UpdateSecretVersionStage':
        updateStage(secret, input);
        return identity;
      case 'ListSecretVersionIds':
        return {
          ...identity,
          Versions: staged(secret).map(({ id, createdAt, stages }) => ({
            VersionId: id,
            VersionStages: [...stages],
            CreatedDate: createdAt,
          })),
        };
      case 'RotateSecret':
        return { ...identity, VersionId: this.rotate(secret) };
      // DescribeSecret
      default: {
        const stages = Object.fromEntries(staged(secret).map((version) => [version.id, [...version.stages]]));
        const { next } = secret;
        return {
          ...identity,
          VersionIdsToStages: stages,
          ...(next && { RotationEnabled: true, NextRotationDate: next.getTime() / 1000 }),
        };
      }
    }
  }

  current(arn: string): unknown {
    return JSON.parse(wantedVersion(this.find(arn), {}).value ?? '');
  }

  rotateBy(arn: string, rotation: RotationFunction): void {
    this.find(arn).rotation = rotation;
  }

  schedule(arn: string, next: Date | undefined): void {
    this.find(arn).next = next;
  }

  /** Answers at once, as AWS does; a step that fails leaves the pending version behind. */
  private rotate(secret: Secret): string {
    const { arn, rotation } = secret;
    if (rotation === undefined) {
      throw new ServiceError(
        'InvalidRequestException',
        'No Lambda rotation function ARN is associated with this secret.',
      );
    }
    if (staged(secret).some(({ stages }) => stages.has(PENDING) && !stages.has(CURRENT))) {
      throw new ServiceError(
        'InvalidRequestException',
        'A previous rotation is not complete. That rotation will be reattempted.',
      );
    }
    const token = this.put(arn, undefined, [PENDING]);
    void (async () => {
      for (const Step of ROTATION_STEPS) await rotation({ Step, SecretId: arn, ClientRequestToken: token });
    })().catch(() => undefined);
    return token;
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
function wantedVersion({ versions }: Secret, { VersionId: id, VersionStage: stage = CURRENT }: ServiceInput): Version {
  const found = versions.find((version) =>
    typeof id === 'string' ? version.id === id : version.stages.has(String(stage)),
  );
  if (found) return found;
  throw notFound(`Secrets Manager can't find the specified secret value: ${String(id ?? stage)}`);
}

function staged({ versions }: Secret): Version[] {
  return versions.filter(({ stages }) => stages.size > 0);
}

/** Gives a stage to one version alone; the former current one becomes the previous one. */
function move(secret: Secret, stage: string, to: Version | undefined): void {
  const from = secret.versions.find(({ stages }) => stages.has(stage));
  from?.stages.delete(stage);
  to?.stages.add(stage);
  if (stage === CURRENT && from !== undefined) move(secret, PREVIOUS, from);
}

function updateStage(secret: Secret, { VersionStage, RemoveFromVersionId, MoveToVersionId }: ServiceInput): void {
  const stage = String(VersionStage);
  const holder = secret.versions.find(({ stages }) => stages.has(stage));
  if (holder !== undefined && holder.id !== RemoveFromVersionId) {
    throw new ServiceError(
      'InvalidParameterException',
      `The parameter RemoveFromVersionId can't be empty. Staging label ${stage} is currently attached to version ${holder.id}`,
    );
  }
  move(
    secret,
    stage,
    typeof MoveToVersionId === 'string' ? wantedVersion(secret, { VersionId: MoveToVersionId }) : undefined,
  );
}

/** Starts the stand-in on a free port. */
export async function startSecretsManager(): Promise<SecretsManager> {
  const store = new Store();
  const { url, stop } = await startJsonService({
    maxRequestBytes: MAX_REQUEST_BYTES,
    act: (action, input) => store.act(action, input),
  });
  return {
    endpoint: url,
    put(arn, value) {
      store.put(arn, JSON.stringify(value));
    },
    current: (arn) => store.current(arn),
    rotateBy: (arn, step) => store.rotateBy(arn, step),
    schedule: (arn, next) => store.schedule(arn, next),
    stop,
  };
}
