import type {
  BaseEnvironment,
  BillingDatabaseEnvironment,
  DatabaseName,
  MainDatabaseEnvironment,
} from '../../core/contract';

export interface MigrateEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment {}

export interface MigrateRequest {
  readonly database: DatabaseName;
  /** `status` lists what has run and what is pending and changes nothing; `apply` runs what is pending. */
  readonly action: 'status' | 'apply';
}
