import type { ApiEnvironment } from '../../../lambdas/api/contract';
import type { AuditEnvironment } from '../../../lambdas/audit/contract';
import type { BackupEnvironment } from '../../../lambdas/backup/contract';
import type { CanaryEnvironment } from '../../../lambdas/canary/contract';
import type { CleanupEnvironment } from '../../../lambdas/cleanup/contract';
import type { CollectorEnvironment } from '../../../lambdas/collector/contract';
import type { DrillEnvironment } from '../../../lambdas/drill/contract';
import type { ErasureFunctionEnvironment } from '../../../lambdas/erasure/contract';
import type { EntitlementsEnvironment } from '../../../lambdas/entitlements/contract';
import type { InspectEnvironment } from '../../../lambdas/inspect/contract';
import type { KeysEnvironment } from '../../../lambdas/keys/contract';
import type { MaintenanceEnvironment } from '../../../lambdas/maintenance/contract';
import type { MigrateEnvironment } from '../../../lambdas/migrate/contract';
import type { MoveEnvironment } from '../../../lambdas/move/contract';
import type { PayoutsEnvironment } from '../../../lambdas/payouts/contract';
import { type ProcessorEnvironment } from '../../../lambdas/processor/contract';
import type { ReconciliationEnvironment } from '../../../lambdas/reconciliation/contract';
import type { RefreshEnvironment } from '../../../lambdas/refresh/contract';
import type { ReplayEnvironment } from '../../../lambdas/replay/contract';
import type { ResetPasswordEnvironment } from '../../../lambdas/reset-password/contract';
import type { RestoreEnvironment } from '../../../lambdas/restore/contract';
import type { RowRecoveryEnvironment } from '../../../lambdas/row-recovery/contract';
import type { VerifyEnvironment } from '../../../lambdas/verify/contract';
import type { WarmEnvironment } from '../../../lambdas/warm/contract';
import type { WebhookEnvironment } from '../../../lambdas/webhook/contract';

const base = ['ENVIRONMENT_NAME', 'LOG_LEVEL'] as const;
const archives = ['ARCHIVE_BUCKET', 'ARCHIVE_SIGNING_KEY_ARN'] as const;
const erasures = ['ERASURE_KEY_SECRET_ARN', 'ERASURE_HOOKS'] as const;
const billing = [
  'BILLING_DATABASE_HOST',
  'BILLING_DATABASE_PORT',
  'BILLING_DATABASE_NAME',
  'BILLING_DATABASE_SECRET_ARN',
] as const;
/** Of functions that ask Stripe and change what users may use. */
const stripe = ['STRIPE_API_SECRET_ARN', 'STRIPE_API_BASE', 'LIVEMODE', 'CACHE_URL'] as const;
const main = ['MAIN_DATABASE_HOST', 'MAIN_DATABASE_PORT', 'MAIN_DATABASE_NAME', 'MAIN_DATABASE_SECRET_ARN'] as const;

/** Names of the variables that may not be left out. */
type Required<Environment> = {
  [Name in keyof Environment]-?: undefined extends Environment[Name] ? never : Name;
}[keyof Environment];

/** The names in an interface that are required, which must be all of them: a forgotten one does not compile. */
function variables<Environment>() {
  return <const Names extends readonly (Required<Environment> & string)[]>(
    names: Names &
      ([Required<Environment>] extends [Names[number]]
        ? unknown
        : { missing: Exclude<Required<Environment>, Names[number]> }),
  ): readonly string[] => names;
}

/** Variables of each function, by its stem. */
export const CONTRACTS: Readonly<Record<string, readonly string[]>> = {
  api: variables<ApiEnvironment>()([
    ...base,
    ...billing,
    'CACHE_URL',
    'API_KEY_SECRET_ARN',
    'CANARY',
    'TILLED',
    'REQUESTS_PER_MINUTE',
    'AUDIT_FUNCTION_NAME',
    'ENTITLEMENTS_FUNCTION_NAME',
    'INSPECT_FUNCTION_NAME',
    'REPLAY_FUNCTION_NAME',
  ]),
  audit: variables<AuditEnvironment>()([...base, 'ARCHIVE_BUCKET']),
  backup: variables<BackupEnvironment>()([
    ...base,
    ...billing,
    ...main,
    ...archives,
    'BILLING_RETENTION_DAYS',
    'MAIN_RETENTION_DAYS',
    'BILLING_FREQUENCY_HOURS',
    'MAIN_FREQUENCY_HOURS',
    'BILLING_INSTANCE_IDENTIFIER',
    'MAIN_INSTANCE_IDENTIFIER',
    'STREAMING_LIMIT_GIB',
    'BILLING_ARCHIVE_WORKFLOW_ARN',
    'MAIN_ARCHIVE_WORKFLOW_ARN',
    'EXPORT_ROLE_ARN',
    'EXPORT_KEY_ARN',
  ]),
  canary: variables<CanaryEnvironment>()([
    ...base,
    'ENDPOINT_URL',
    'STRIPE_SIGNING_SECRET_ARN',
    'INSPECT_FUNCTION_NAME',
    'ADDRESSES_LISTED',
  ]),
  cleanup: variables<CleanupEnvironment>()([...base, ...billing, 'RETENTION_DAYS']),
  collector: variables<CollectorEnvironment>()([
    ...base,
    ...billing,
    ...main,
    'BILLING_INSTANCE_IDENTIFIER',
    'MAIN_INSTANCE_IDENTIFIER',
    'BILLING_ALLOCATED_STORAGE_GIB',
    'MAIN_ALLOCATED_STORAGE_GIB',
    'ARCHIVE_BUCKET',
    'BILLING_ARCHIVE_WORKFLOW_ARN',
    'MAIN_ARCHIVE_WORKFLOW_ARN',
    'COPY_REGION',
    'COPY_BUCKET',
    'EVENT_RETENTION_DAYS',
    'STRIPE_API_SECRET_ARN',
    'STRIPE_SIGNING_SECRET_ARN',
  ]),
  drill: variables<DrillEnvironment>()([
    ...base,
    ...billing,
    ...main,
    ...archives,
    ...erasures,
    'BILLING_RESTORE_TARGET_MINUTES',
    'MAIN_RESTORE_TARGET_MINUTES',
    'STREAMING_LIMIT_GIB',
    'BILLING_RESTORE_WORKFLOW_ARN',
    'MAIN_RESTORE_WORKFLOW_ARN',
  ]),
  erasure: variables<ErasureFunctionEnvironment>()([...base, ...billing, ...main, ...erasures, 'ARCHIVE_BUCKET']),
  entitlements: variables<EntitlementsEnvironment>()([...base, ...billing, 'CACHE_URL']),
  inspect: variables<InspectEnvironment>()([
    ...base,
    ...billing,
    ...main,
    ...archives,
    'BILLING_FREQUENCY_HOURS',
    'MAIN_FREQUENCY_HOURS',
    'QUEUE_URL',
    'DEAD_LETTER_QUEUE_URL',
    'STRIPE_API_SECRET_ARN',
    'STRIPE_SIGNING_SECRET_ARN',
  ]),
  keys: variables<KeysEnvironment>()([...base, ...billing, 'API_KEY_SECRET_ARN']),
  maintenance: variables<MaintenanceEnvironment>()([
    ...base,
    ...billing,
    ...main,
    'INSPECT_FUNCTION_NAME',
    'BILLING_READER_SECRET_ARN',
    'MAIN_READER_SECRET_ARN',
    'BILLING_INSTANCE_IDENTIFIER',
    'MAIN_INSTANCE_IDENTIFIER',
    'REPORT_TOPIC_ARN',
  ]),
  migrate: variables<MigrateEnvironment>()([...base, ...billing, ...main]),
  move: variables<MoveEnvironment>()([
    ...base,
    ...billing,
    'MOVE_HOST',
    'MOVE_PORT',
    'MOVE_DATABASE_NAME',
    'MOVE_SECRET_ARN',
  ]),
  payouts: variables<PayoutsEnvironment>()([...base, ...billing, ...stripe]),
  processor: variables<ProcessorEnvironment>()([...base, ...billing, 'CACHE_URL', 'DEAD_LETTER_QUEUE_URL']),
  reconciliation: variables<ReconciliationEnvironment>()([
    ...base,
    ...billing,
    ...stripe,
    'DAYS_BACK',
    'SAMPLED_ENTITLEMENTS',
  ]),
  refresh: variables<RefreshEnvironment>()([...base, ...billing, ...stripe]),
  replay: variables<ReplayEnvironment>()([...base, ...billing, ...stripe, 'QUEUE_URL', 'DEAD_LETTER_QUEUE_URL']),
  'reset-password': variables<ResetPasswordEnvironment>()([
    ...base,
    'BILLING_DATABASE_SECRET_ARN',
    'MAIN_DATABASE_SECRET_ARN',
  ]),
  'row-recovery': variables<RowRecoveryEnvironment>()([
    ...base,
    ...billing,
    ...main,
    ...archives,
    ...erasures,
    'CACHE_URL',
    'STREAMING_LIMIT_GIB',
  ]),
  verify: variables<VerifyEnvironment>()([...base, ...billing, ...main]),
  warm: variables<WarmEnvironment>()([...base, ...billing, ...main]),
  restore: variables<RestoreEnvironment>()([
    ...base,
    ...billing,
    ...main,
    ...archives,
    ...erasures,
    'STREAMING_LIMIT_GIB',
    'BILLING_RESTORE_WORKFLOW_ARN',
    'MAIN_RESTORE_WORKFLOW_ARN',
  ]),
  webhook: variables<WebhookEnvironment>()([...base, 'QUEUE_URL', 'STRIPE_SIGNING_SECRET_ARN', 'LIVEMODE']),
};
