import type { Client } from 'pg';
import { DATABASE_NAMES, type DatabaseName } from '../../lambdas/shared/contract';
import type { Tell } from '../console';
import type { Platform } from '../platform';
import type { StripeState } from '../stripe/state';
import type { BackupReport } from '../../lambdas/backup/contract';
import type { Scenario } from './scenario';

/** What the steps share. */
export interface PassContext {
  readonly platform: Platform;
  readonly billing: Client;
  readonly main: Client;
  /** Stripe's side of the story. */
  readonly stripe: StripeState;
  /** Set by the step that plays it. */
  scenario: Scenario | undefined;
  /** Archives that were made, by database. */
  readonly backups: Map<DatabaseName, BackupReport>;
}

/** One part of the pass: does something to the platform and checks what came of it. */
export interface Step {
  readonly title: string;
  /** Why the step cannot be taken here; undefined when it can. @default it can */
  readonly skip?: (context: PassContext) => string | undefined;
  /** @throws CheckFailed, or whatever went wrong */
  readonly run: (context: PassContext, tell: Tell) => Promise<void>;
}

/** Does something for both databases at the same time. */
export async function forBoth<T>(work: (database: DatabaseName) => Promise<T>): Promise<T[]> {
  return Promise.all(DATABASE_NAMES.map(work));
}
