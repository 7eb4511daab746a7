import { Rule, type EventPattern } from 'aws-cdk-lib/aws-events';
import { Construct } from 'constructs';
import { SEVERITIES, type AlertDefinition, type Severity } from '../config/alarms/alarm-definition';
import { eventText, type TextContext } from './alarm-text';
import { alertTarget, type AlertTargetProps } from './alert-target';
import type { SeverityTopics } from './alert-topics';

/** A failure that AWS reports itself and that none of our functions sees. */
export interface FailureEvent extends AlertDefinition {
  /** Id of its rule. */
  readonly name: string;
  /** Events of EventBridge that report it. */
  readonly pattern: EventPattern;
  /** Topics that get the message. @default - critical */
  readonly severities?: readonly Severity[];
  /** Publish it to the topics of every group, and to the shared ones. @default false */
  readonly everyTopic?: boolean;
}

/** An event that an operator puts on the bus, to see that events arrive: step 8 of `docs/deploy.md`. */
export const ALERT_TEST_SOURCE = 'billing-operations.test';
export const ALERT_TEST_TYPE = 'Alert test';

/** A key is disabled, or will be deleted. Arrives through CloudTrail, so only where the account has a trail. */
export const KEY_ENDANGERED: EventPattern = {
  source: ['aws.kms'],
  detailType: ['AWS API Call via CloudTrail'],
  detail: {
    eventSource: ['kms.amazonaws.com'],
    eventName: ['ScheduleKeyDeletion', 'DisableKey', 'DeleteImportedKeyMaterial'],
    errorCode: [{ exists: false }],
  },
};

const ON_RDS = { resourceType: ['RDS'] };

/** The failures that AWS reports, but those of recovery workflows: see `RecoveryNotifications`. */
export const FAILURE_EVENTS: readonly FailureEvent[] = [
  {
    name: 'BackupJobFailed',
    // Expired: it did not start within its window, which breaks the recovery point objective just as a failure does.
    pattern: {
      source: ['aws.backup'],
      detailType: ['Backup Job State Change'],
      detail: { ...ON_RDS, state: ['FAILED', 'ABORTED', 'EXPIRED'] },
    },
    symptom: 'AWS Backup did not make a recovery point',
    action: 'Read in the jobs of AWS Backup why it failed; start an on-demand backup job.',
    consolePage: 'backupJobs',
    owner: 'data',
    runbookAnchor: 'recovery-points-stale',
  },
  {
    name: 'CopyJobFailed',
    pattern: {
      source: ['aws.backup'],
      detailType: ['Copy Job State Change'],
      detail: { ...ON_RDS, state: ['FAILED'] },
    },
    symptom: 'AWS Backup did not copy a recovery point to the second region, or to the backup account',
    action: 'Check that the vault and the key exist there; for another account, that its vault admits this one.',
    consolePage: 'backupJobs',
    owner: 'data',
    runbookAnchor: 'recovery-points-stale',
  },
  {
    name: 'RestoreJobFailed',
    pattern: {
      source: ['aws.backup'],
      detailType: ['Restore Job State Change'],
      detail: { ...ON_RDS, status: ['FAILED', 'ABORTED'] },
    },
    symptom: 'A recovery point could not be restored, possibly in the monthly test',
    action: 'Read the status message of the restore job; take a new backup and drill it.',
    consolePage: 'backupJobs',
    owner: 'data',
    runbookAnchor: 'restore-drill-failed',
  },
  {
    name: 'InstanceFailed',
    pattern: {
      source: ['aws.rds'],
      detailType: ['RDS DB Instance Event'],
      detail: { EventCategories: ['failure', 'low storage'] },
    },
    symptom: 'RDS reports the failure of an instance, or that its disk is full',
    action: 'Read the events of the instance, and whether it is available.',
    consolePage: 'instanceEvents',
    owner: 'data',
    runbookAnchor: 'instance-failed',
  },
  {
    name: 'SnapshotExportFailed',
    // Only the failed export: the other events on snapshots (0042, 0091, 0161, 0197) report success.
    pattern: {
      source: ['aws.rds'],
      detailType: ['RDS DB Snapshot Event'],
      detail: { EventID: ['RDS-EVENT-0159'] },
    },
    symptom: 'The export of a snapshot failed',
    action: 'Read the reason in the events; start the backup again by hand.',
    consolePage: 'instanceEvents',
    owner: 'data',
    runbookAnchor: 'backup-failed',
  },
  {
    name: 'RotationFailed',
    // Arrives through CloudTrail, so only where the account has a trail; otherwise the alarm on the password's age notices.
    pattern: {
      source: ['aws.secretsmanager'],
      detailType: ['AWS Service Event via CloudTrail'],
      detail: { eventSource: ['secretsmanager.amazonaws.com'], eventName: ['RotationFailed'] },
    },
    symptom: 'The rotation of a secret failed',
    action: 'Check that the functions still connect; then rotate the secret by hand.',
    consolePage: 'secrets',
    owner: 'data',
    runbookAnchor: 'password-not-rotated',
  },
  {
    name: 'KeyEndangered',
    // Of every key in the account: which are ours is known to four stacks in two regions, and nobody does this in passing.
    pattern: KEY_ENDANGERED,
    symptom:
      'A KMS key of the account was disabled, or is to be deleted: what it encrypts, backups included, cannot be read',
    action: 'Find in CloudTrail which key and who; cancel the deletion and enable the key.',
    consolePage: 'keys',
    owner: 'platform',
    runbookAnchor: 'key-endangered',
  },
  {
    name: 'Test',
    pattern: { source: [ALERT_TEST_SOURCE], detailType: [ALERT_TEST_TYPE] },
    severities: SEVERITIES,
    everyTopic: true,
    symptom: 'This is a test: an event arrives at this topic',
    action: 'Nothing.',
    consolePage: 'topics',
    owner: 'platform',
    runbookAnchor: 'alerts-undelivered',
  },
];

export interface FailureEventsProps extends AlertTargetProps {
  /** What the messages link to. */
  readonly context: TextContext;
}

/** Publishes what AWS Backup, RDS, Secrets Manager and KMS report. */
export class FailureEvents extends Construct {
  constructor(scope: Construct, id: string, props: FailureEventsProps) {
    super(scope, id);
    const { topics } = props;
    for (const event of FAILURE_EVENTS) {
      this.publish(event.name, event, event.everyTopic ? topics.shared : topics.of(event.owner), props);
      if (!event.everyTopic) continue;
      // A rule of its own for each group: a rule has five targets at most.
      for (const [owner, routed] of topics.routed) this.publish(`${event.name}-${owner}`, event, routed, props);
    }
  }

  private publish(
    id: string,
    event: FailureEvent,
    topics: SeverityTopics,
    { context, undelivered }: FailureEventsProps,
  ): void {
    const rule = new Rule(this, id, { description: event.symptom, eventPattern: event.pattern });
    for (const severity of event.severities ?? ['critical']) {
      rule.addTarget(alertTarget(topics, severity, eventText(event, severity, context), undelivered));
    }
  }
}
