import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { FunctionProcess } from './lambda-process';
import type { FunctionDefinition } from '../template/platform-template';

export { FunctionError } from './lambda-process';

/** What the functions of this machine use in place of AWS. */
export interface Surroundings {
  readonly region: string;
  readonly endpoints: {
    readonly s3: string;
    readonly sqs: string;
    readonly secretsManager: string;
    /** @default none: functions that sign or verify archives fail */
    readonly kms?: string;
  };
  /** What is served once the functions are known: Lambda's own API, the endpoint of Stripe, logs and metrics. @default - none */
  readonly apis?: () => Readonly<
    Record<'cloudFormation' | 'cloudWatch' | 'cloudWatchLogs' | 'lambda' | 'webhooks', string> &
      Partial<Record<'rds' | 'stepFunctions', string>>
  >;
  /** Certificates that functions trust besides the usual ones; replaces `/var/runtime/ca-cert.pem`. */
  readonly caFile: string;
  /** Folder of the logs, a file for each function. */
  readonly logDirectory: string;
}

/** Instances of a function without reserved concurrency: enough to show concurrency, no more than the machine has cores. */
const DEFAULT_INSTANCES = Math.max(2, availableParallelism());

/** Endpoint of the services that are not served here: calls fail at once instead of reaching AWS. */
const UNSERVED_ENDPOINT = 'http://127.0.0.1:9';

/** Variables that Lambda sets, and those that point the SDK to this machine. */
function environmentOf(definition: FunctionDefinition, surroundings: Surroundings): Record<string, string> {
  const { region, endpoints, caFile } = surroundings;
  const apis = surroundings.apis?.();
  return {
    ...definition.environment,
    ...(definition.environment.NODE_EXTRA_CA_CERTS === undefined ? {} : { NODE_EXTRA_CA_CERTS: caFile }),
    // The template says where the API is at AWS.
    ...(definition.environment.ENDPOINT_URL === undefined || !apis ? {} : { ENDPOINT_URL: apis.webhooks }),
    ...(definition.logLevel === undefined ? {} : { AWS_LAMBDA_LOG_LEVEL: definition.logLevel }),
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_ENDPOINT_URL: UNSERVED_ENDPOINT,
    AWS_ENDPOINT_URL_CLOUDFORMATION: apis?.cloudFormation ?? UNSERVED_ENDPOINT,
    AWS_ENDPOINT_URL_CLOUDWATCH_LOGS: apis?.cloudWatchLogs ?? UNSERVED_ENDPOINT,
    AWS_ENDPOINT_URL_CLOUDWATCH: apis?.cloudWatch ?? UNSERVED_ENDPOINT,
    AWS_ENDPOINT_URL_LAMBDA: apis?.lambda ?? UNSERVED_ENDPOINT,
    ...(apis?.rds !== undefined && { AWS_ENDPOINT_URL_RDS: apis.rds }),
    ...(apis?.stepFunctions !== undefined && { AWS_ENDPOINT_URL_SFN: apis.stepFunctions }),
    AWS_ENDPOINT_URL_S3: endpoints.s3,
    AWS_ENDPOINT_URL_SQS: endpoints.sqs,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: endpoints.secretsManager,
    AWS_ENDPOINT_URL_KMS: endpoints.kms ?? UNSERVED_ENDPOINT,
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: definition.name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(definition.memoryMib),
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_FORMAT: 'JSON',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${definition.name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: 'local',
    AWS_XRAY_CONTEXT_MISSING: 'IGNORE_ERROR',
    LAMBDA_TASK_ROOT: definition.folder,
    PATH: process.env.PATH ?? '',
    TMPDIR: process.env.TMPDIR ?? '/tmp',
    TZ: 'UTC',
    _HANDLER: definition.handler,
  };
}

/** One function: invocations wait for an idle instance, up to as many as its concurrency allows. */
export class LocalFunction {
  readonly logFile: string;
  private readonly limit: number;
  private readonly idle: FunctionProcess[] = [];
  private readonly busy = new Set<FunctionProcess>();
  private readonly waiting: (() => void)[] = [];
  private stopped = false;

  constructor(
    readonly definition: FunctionDefinition,
    private readonly surroundings: Surroundings,
  ) {
    mkdirSync(surroundings.logDirectory, { recursive: true });
    this.logFile = join(surroundings.logDirectory, `${definition.name}.log`);
    this.limit = definition.reservedConcurrency ?? DEFAULT_INSTANCES;
  }

  /** Whether Lambda would refuse a synchronous invocation now: all of the reserved concurrency is in use. */
  get throttled(): boolean {
    return this.definition.reservedConcurrency !== undefined && this.busy.size >= this.limit;
  }

  /** Starts an instance ahead of the first invocation, so that its start does not count there. */
  async warm(): Promise<void> {
    const instance = await this.acquire();
    try {
      await instance.ready();
    } finally {
      this.release(instance);
    }
  }

  /**
   * Invokes the function and waits for its answer.
   *
   * @param alias by which it is invoked. @default - by its name
   * @throws FunctionError when the handler threw, timed out or took the process down; the next invocation gets another
   */
  async invoke(event: unknown, alias?: string): Promise<unknown> {
    const instance = await this.acquire();
    try {
      return await instance.invoke(event, alias);
    } finally {
      this.release(instance);
    }
  }

  /** Ends every instance, also those that are at work. */
  stop(): void {
    this.stopped = true;
    for (const instance of [...this.idle, ...this.busy]) instance.kill();
    for (const wake of this.waiting.splice(0)) wake();
  }

  private async acquire(): Promise<FunctionProcess> {
    while (!this.stopped) {
      const instance = this.takeIdle() ?? this.start();
      if (instance !== undefined) {
        this.busy.add(instance);
        return instance;
      }
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
    throw new Error(`${this.definition.name} was stopped.`);
  }

  private takeIdle(): FunctionProcess | undefined {
    let instance = this.idle.pop();
    while (instance?.alive === false) instance = this.idle.pop();
    return instance;
  }

  private start(): FunctionProcess | undefined {
    if (this.busy.size >= this.limit) return undefined;
    return new FunctionProcess(this.definition, environmentOf(this.definition, this.surroundings), this.logFile);
  }

  private release(instance: FunctionProcess): void {
    this.busy.delete(instance);
    if (instance.alive) this.idle.push(instance);
    this.waiting.shift()?.();
  }
}
