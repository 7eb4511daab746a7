import type { Command } from '../command';
import { accessApply } from './access-apply';
import { accessPlan } from './access-plan';
import { alarms } from './alarms';
import { audit } from './audit';
import { bitcoinAccept } from './bitcoin-accept';
import { bitcoinFollow } from './bitcoin-follow';
import { bitcoinStatus } from './bitcoin-status';
import { backup } from './backup';
import { backupsDiff } from './backups-diff';
import { backupsList } from './backups-list';
import { backupsShow } from './backups-show';
import { backupsVerify } from './backups-verify';
import { cacheDrop } from './cache-drop';
import { cacheShow } from './cache-show';
import { cardsScan } from './cards-scan';
import { cleanup } from './cleanup';
import { collect } from './collect';
import { connections } from './connections';
import { doctor } from './doctor';
import { drill } from './drill';
import { drillsList } from './drills-list';
import { entitlementsAssign } from './entitlements-assign';
import { entitlementsRecompute } from './entitlements-recompute';
import { entitlementsShow } from './entitlements-show';
import { entitlementsUnowned } from './entitlements-unowned';
import { erase } from './erase';
import { exportPerson } from './export';
import { failuresClear } from './failures-clear';
import { failuresList } from './failures-list';
import { keysCreate } from './keys-create';
import { keysList } from './keys-list';
import { keysRevoke } from './keys-revoke';
import { keysRotate } from './keys-rotate';
import { logs } from './logs';
import { maintenanceReport } from './maintenance-report';
import { maintenanceRun } from './maintenance-run';
import { maintenanceShow } from './maintenance-show';
import { metrics } from './metrics';
import { migrateApply } from './migrate-apply';
import { migrateNew } from './migrate-new';
import { migratePlan } from './migrate-plan';
import { migrateResolve } from './migrate-resolve';
import { migrateRollback } from './migrate-rollback';
import { migrateStatus } from './migrate-status';
import { migrateValidate } from './migrate-validate';
import { moveCatchUp } from './move-catch-up';
import { moveCopy } from './move-copy';
import { moveCutOver } from './move-cut-over';
import { moveFinish } from './move-finish';
import { movePlan } from './move-plan';
import { moveRollBack } from './move-roll-back';
import { moveVerify } from './move-verify';
import { open } from './open';
import { payoutsList } from './payouts-list';
import { payoutsRetry } from './payouts-retry';
import { payoutsShow } from './payouts-show';
import { revenue } from './revenue';
import { queries } from './queries';
import { reconcile } from './reconcile';
import { reconciliationsFindings } from './reconciliations-findings';
import { reconciliationsList } from './reconciliations-list';
import { recoverAbort } from './recover-abort';
import { recoverCutOver } from './recover-cut-over';
import { recoverDrill } from './recover-drill';
import { recoverRefuse } from './recover-refuse';
import { recoverStart } from './recover-start';
import { recoverStatus } from './recover-status';
import { recoverTakeName } from './recover-take-name';
import { refresh } from './refresh';
import { regionLossCheck } from './region-loss-check';
import { regionLossDrill } from './region-loss-drill';
import { restore } from './restore';
import { rowsDone } from './rows-done';
import { rowsMerge } from './rows-merge';
import { rowsReport } from './rows-report';
import { rowsShow } from './rows-show';
import { rulesDiff } from './rules-diff';
import { rulesGet } from './rules-get';
import { rulesPut } from './rules-put';
import { runs } from './runs';
import { secretsList } from './secrets-list';
import { secretsPutStripe } from './secrets-put-stripe';
import { secretsRotate } from './secrets-rotate';
import { sizes } from './sizes';
import { status } from './status';
import { verify } from './verify';
import { webhooksDismiss } from './webhooks-dismiss';
import { webhooksGaps } from './webhooks-gaps';
import { webhooksList } from './webhooks-list';
import { webhooksParked } from './webhooks-parked';
import { webhooksRedrive } from './webhooks-redrive';
import { webhooksReplay } from './webhooks-replay';
import { webhooksRetry } from './webhooks-retry';
import { webhooksSend } from './webhooks-send';
import { webhooksShow } from './webhooks-show';
import { webhooksStatus } from './webhooks-status';

/** Every command, in the order of the help: first what one looks at, then what one does. */
export const COMMANDS: readonly Command[] = [
  status,
  doctor,
  alarms,
  logs,
  metrics,
  runs,
  failuresList,
  failuresClear,
  webhooksStatus,
  webhooksList,
  webhooksShow,
  webhooksGaps,
  webhooksRetry,
  webhooksReplay,
  webhooksDismiss,
  webhooksParked,
  webhooksRedrive,
  webhooksSend,
  reconcile,
  reconciliationsList,
  reconciliationsFindings,
  refresh,
  bitcoinStatus,
  bitcoinAccept,
  bitcoinFollow,
  revenue,
  payoutsList,
  payoutsShow,
  payoutsRetry,
  backup,
  backupsList,
  backupsShow,
  backupsDiff,
  backupsVerify,
  restore,
  drill,
  drillsList,
  verify,
  recoverStart,
  recoverDrill,
  recoverStatus,
  recoverCutOver,
  recoverTakeName,
  recoverRefuse,
  recoverAbort,
  regionLossCheck,
  regionLossDrill,
  rowsReport,
  rowsShow,
  rowsMerge,
  rowsDone,
  migrateNew,
  migrateStatus,
  migratePlan,
  migrateApply,
  migrateValidate,
  migrateRollback,
  migrateResolve,
  movePlan,
  moveCopy,
  moveCatchUp,
  moveVerify,
  moveCutOver,
  moveRollBack,
  moveFinish,
  accessPlan,
  accessApply,
  entitlementsShow,
  entitlementsRecompute,
  entitlementsUnowned,
  entitlementsAssign,
  erase,
  exportPerson,
  rulesGet,
  rulesDiff,
  rulesPut,
  cacheShow,
  cacheDrop,
  keysCreate,
  keysList,
  keysRotate,
  keysRevoke,
  secretsList,
  secretsRotate,
  secretsPutStripe,
  cleanup,
  maintenanceRun,
  maintenanceShow,
  maintenanceReport,
  cardsScan,
  collect,
  sizes,
  connections,
  queries,
  open,
  audit,
];

/** What the groups of commands are about, by their words. */
export const GROUPS: Readonly<Record<string, string>> = {
  failures: 'Asynchronous requests to a function that failed for good',
  webhooks: 'Events that Stripe delivers: what arrived, failed, is missing or parked',
  reconciliations: 'Past comparisons with Stripe, and what they found',
  payouts: 'Payouts to the banks of connected accounts: who was not paid, and paying again',
  backups: 'Archives of the databases',
  bitcoin: 'Payments in bitcoin',
  drills: 'Past restore drills',
  recover: 'Recoveries of whole instances',
  'region-loss': 'The loss of a whole region, and what is in the second one',
  rows: 'Rows that were lost since an archive or a moment',
  migrate: 'Migrations of a database',
  move: 'The billing database, moved to another server while it is in use',
  access: 'Roles of a database, and who may do what in it',
  keys: 'Keys of the HTTP API: who may ask it what',
  maintenance: 'Vacuum, sizes, bloat and indexes of the databases, and the monthly report',
  cards: 'Card numbers where none may be',
  secrets: 'Passwords of the databases, and what Stripe issued',
  entitlements: 'Who may use what, and by which rules',
  cache: 'The cache of entitlements',
  'entitlements rules': 'The rules of who may use what',
};
