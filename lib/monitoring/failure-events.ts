import { Rule, RuleTargetInput, type EventPattern } from 'aws-cdk-lib/aws-events';
import { SnsTopic } from 'aws-cdk-lib/aws-events-targets';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { acknowledge } from '../policy/acknowledge';
import { acknowledgeOwnPolicy, acknowledgeWildcards } from '../policy/acknowledge-permissions';
import type { AlertDefinition } from '../config/alarms/alarm-definition';
import { eventText, type TextContext } from './alarm-text';

/** A failure that AWS reports itself and that none of our functions sees. */
export interface FailureEvent extends AlertDefinition {
  /** Id of its rule. */
  readonly name: string;
  /** Events of EventBridge that report it. */
  readonly pattern: EventPattern;
}

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
    runbookAnchor: 'recovery-points-stale',
  },
  {
    name: 'CopyJobFailed',
    pattern: {
      source: ['aws.backup'],
      detailType: ['Copy Job State Change'],
      detail: { ...ON_RDS, state: ['FAILED'] },
    },
    symptom: 'AWS Backup did not copy a recovery point to the second region',
    action: 'Check that the vault and the key of the second region exist.',
    consolePage: 'backupJobs',
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
    runbookAnchor: 'password-not-rotated',
  },
];

export interface FailureEventsProps {
  /** Topic that failures are published to. */
  readonly critical: ITopic;
  /** What the messages link to. */
  readonly context: TextContext;
}

/** Publishes to the critical topic what AWS Backup, RDS and Secrets Manager report as failed. */
export class FailureEvents extends Construct {
  constructor(scope: Construct, id: string, props: FailureEventsProps) {
    super(scope, id);
    const { context } = props;
    // EventBridge honours no conditions in the policy of a topic: without a role, any rule of any account could publish.
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('events.amazonaws.com'),
      description: 'Publishes failures to the critical topic',
    });
    acknowledgeOwnPolicy(role);
    acknowledgeWildcards(role, {
      actions: ['kms:GenerateDataKey*'],
      reason: 'SNS requires it of publishers to an encrypted topic; it applies to the one key of the topics',
    });
    for (const event of FAILURE_EVENTS) {
      const rule = new Rule(this, event.name, { description: event.symptom, eventPattern: event.pattern });
      acknowledge(rule, {
        nag: ['Serverless-EventBusDLQ'],
        reason: 'EventBridge retries for 24 h. A dead-letter queue would need an alarm on this same topic.',
      });
      rule.addTarget(
        new SnsTopic(props.critical, {
          role,
          message: RuleTargetInput.fromText(eventText(event, 'critical', context)),
        }),
      );
    }
  }
}
