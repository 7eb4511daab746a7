import { readFileSync } from 'node:fs';
import path from 'node:path';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import type { Client } from 'pg';
import type { EnvironmentConfig } from '../../lib/config/environment-schema';
import type { Bundle } from '../../lib/operations/bundles';
import type { LocalDatabaseServer } from '../../local/postgres/databases';
import type { PassContext, Step } from '../../local/pass/steps';
import type { Teardown } from '../../local/runtime/teardown';
import type { StripeStandIn } from '../../local/stripe/stand-in';
import type { DatabaseName } from '../../core/contract';
import type { Cdk } from './cdk';
import type { Clients } from './clients';
import type { Commands } from './commands';
import { Deployment } from './deployment';
import type { Successor } from './successor';
import type { Watchdog } from './watchdog';

const SHOWN_TROUBLES = 20;

export interface RehearsalOptions {
  /** Folder of all that is written. */
  readonly directory: string;
  readonly teardown: Teardown;
  readonly watchdog: Watchdog;
  readonly config: EnvironmentConfig;
  readonly bundles: readonly Bundle[];
  readonly databases: Readonly<Record<DatabaseName, LocalDatabaseServer>>;
  readonly billing: Client;
  readonly main: Client;
  readonly stripe: StripeStandIn;
  readonly clients: Clients;
  /** Of the emulator. */
  readonly endpoint: string;
  readonly emulatorLog: string;
  readonly cdk: Cdk;
  readonly commands: Commands;
  readonly signingSecret: string;
  readonly apiKey: string;
}

/** State that the steps of the rehearsal share; the steps of the local pass take it as well. */
export class Rehearsal implements PassContext {
  readonly platform: PassContext['platform'];
  readonly billing: Client;
  readonly main: Client;
  readonly stripe: PassContext['stripe'];
  readonly backups: PassContext['backups'] = new Map();
  readonly deployment: Deployment;
  scenario: PassContext['scenario'];
  /** The archive bucket, which its stack left behind. Set by the step that destroys the stack. */
  keptBucket: string | undefined;
  /** Rows of the business in the first region, by table, at the moment that it was lost. */
  lost: Readonly<Record<string, readonly string[]>> | undefined;
  /** Set by the step that deploys it. */
  successor: Successor | undefined;

  constructor(readonly options: RehearsalOptions) {
    const { config, clients, endpoint, databases, stripe, signingSecret } = options;
    const deployment = new Deployment(clients, config, endpoint);
    this.deployment = deployment;
    this.billing = options.billing;
    this.main = options.main;
    this.stripe = stripe.state;
    this.platform = {
      // The endpoint is known once it is deployed.
      get endpoint() {
        return deployment.webhookUrl();
      },
      signingSecret,
      databases,
      stripe,
      tilled: undefined,
      invoke: (stem, event) => this.invoke(stem, event),
    };
  }

  /** Folder of an assembly. */
  folder(name: string): string {
    return path.join(this.options.directory, name);
  }

  /** Errors that the emulator logged, to explain a failed step. */
  troubles(): string[] {
    const lines = readFileSync(this.options.emulatorLog, 'utf8').split('\n');
    return lines.filter((line) => / (WARNING|ERROR) /.test(line)).slice(-SHOWN_TROUBLES);
  }

  /** Invokes a deployed function and waits for its answer. @throws Error with the function's error */
  private async invoke(stem: string, event: unknown): Promise<unknown> {
    const { clients, config } = this.options;
    const { FunctionError: failure, Payload: payload = new Uint8Array() } = await clients.lambda.send(
      new InvokeCommand({ FunctionName: `BillingOps-${config.name}-${stem}`, Payload: JSON.stringify(event) }),
    );
    const text = Buffer.from(payload).toString('utf8');
    if (failure !== undefined) throw new Error(`${stem} failed: ${text}`);
    return JSON.parse(text) as unknown;
  }
}

export type RehearsalStep = Step<Rehearsal>;
