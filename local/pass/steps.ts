import type { Client } from 'pg';
import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';
import type { Tell } from '../runtime/console';
import type { Platform } from '../platform/platform';
import type { StripeState } from '../stripe/state';
import type { BackupReport } from '../../lambdas/backup/contract';
import type { Scenario } from './scenario';

/** The platform under test: that of this machine, or a deployed one. */
export interface PassPlatform extends Pick<Platform, 'endpoint' | 'signingSecret' | 'databases' | 'stripe' | 'invoke'> {
  /** Undefined where the environment takes no Tilled. */
  readonly tilled: Platform['tilled'] | undefined;
  /** Undefined where it is not this program that runs the state machines. */
  readonly execution?: Platform['execution'];
}

/** State that the steps share. */
export interface PassContext {
  readonly platform: PassPlatform;
  readonly billing: Client;
  readonly main: Client;
  /** Stripe's side of the story. */
  readonly stripe: StripeState;
  /** Set by the step that plays it. */
  scenario: Scenario | undefined;
  /** Archives that were made, by database. */
  readonly backups: Map<DatabaseName, Pick<BackupReport, 'slot' | 'tables' | 'rows'>>;
}

/** One part of a pass: does something to the platform and checks what came of it. */
export interface Step<Context = PassContext> {
  readonly title: string;
  /** Why the step cannot be taken here; undefined when it can. @default it can */
  readonly skip?: (context: Context) => string | undefined;
  /** Whether no later step can be taken when this one fails. @default false */
  readonly essential?: boolean;
  /** @throws CheckFailed, or whatever went wrong */
  readonly run: (context: Context, tell: Tell) => Promise<void>;
}

/** Does something for both databases at the same time. */
export async function forBoth<T>(work: (database: DatabaseName) => Promise<T>): Promise<T[]> {
  return Promise.all(DATABASE_NAMES.map(work));
}
