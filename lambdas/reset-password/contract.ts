import type { BaseEnvironment, DatabaseName } from '../../core/contract';

export interface ResetPasswordEnvironment extends BaseEnvironment {
  readonly BILLING_DATABASE_SECRET_ARN: string;
  readonly MAIN_DATABASE_SECRET_ARN: string;
}

/** Asks that a recovered instance be given the password that its database has now. */
export interface ResetPasswordRequest {
  readonly database: DatabaseName;
  readonly instanceIdentifier: string;
}

/** Never holds the password: a workflow keeps what its functions answer. */
export interface ResetPasswordReport {
  readonly instanceIdentifier: string;
}
