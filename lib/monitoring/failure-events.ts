import { ArnFormat, Stack } from 'aws-cdk-lib';
import { Rule, RuleTargetInput, type EventPattern } from 'aws-cdk-lib/aws-events';
import { SnsTopic } from 'aws-cdk-lib/aws-events-targets';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { DATABASE_NAMES } from '../../core/contract';
import { acknowledge } from '../policy/acknowledge';
import { acknowledgeOwnPolicy, acknowledgeWildcards } from '../policy/acknowledge-permissions';
import { recoveryWorkflowName } from '../operations/recovery/instance-recovery';

/** Failures that AWS reports itself, and no function sees. */
interface FailureEvent {
  readonly name: string;
  readonly pattern: EventPattern;
  readonly symptom: string;
  /** Heading in `docs/runbook.md`. */
  readonly runbookAnchor: string;
}

const ofRds = { resourceType: ['RDS'] };

const FAILURES: readonly FailureEvent[] = [
  {
    name: 'BackupJobFailed',
    // Expired: it did not start within its window, which breaks the recovery point objective just as well.
    pattern: {
      source: ['aws.backup'],
      detailType: ['Backup Job State Change'],
      detail: { ...ofRds, state: ['FAILED', 'ABORTED', 'EXPIRED'] },
    },
    symptom: 'A recovery point was not made',
    runbookAnchor: 'recovery-points-stale',
  },
  {
    name: 'CopyJobFailed',
    pattern: {
      source: ['aws.backup'],
      detailType: ['Copy Job State Change'],
      detail: { ...ofRds, state: ['FAILED'] },
    },
    symptom: 'A recovery point was not copied to the second region',
    runbookAnchor: 'recovery-points-stale',
  },
  {
    name: 'RestoreJobFailed',
    pattern: {
      source: ['aws.backup'],
      detailType: ['Restore Job State Change'],
      detail: { ...ofRds, status: ['FAILED', 'ABORTED'] },
    },
    symptom: 'A recovery point could not be restored, perhaps in the monthly test',
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
    runbookAnchor: 'instance-failed',
  },
  {
    name: 'SnapshotExportFailed',
    // Only the failed export: the other events on snapshots (0042, 0091, 0161, 0197) tell of what was made.
    pattern: {
      source: ['aws.rds'],
      detailType: ['RDS DB Snapshot Event'],
      detail: { EventID: ['RDS-EVENT-0159'] },
    },
    symptom: 'The export of a snapshot failed',
    runbookAnchor: 'backup-failed',
  },
  {
    name: 'RotationFailed',
    // Comes by way of CloudTrail, and only where the account has a trail; without one, the age of the password tells.
    pattern: {
      source: ['aws.secretsmanager'],
      detailType: ['AWS Service Event via CloudTrail'],
      detail: { eventSource: ['secretsmanager.amazonaws.com'], eventName: ['RotationFailed'] },
    },
    symptom: 'The rotation of a secret failed',
    runbookAnchor: 'password-not-rotated',
  },
];

export interface FailureEventsProps {
  readonly environmentName: string;
  readonly critical: ITopic;
}

/** Tells the critical topic what AWS Backup, RDS, Secrets Manager and the recovery workflows report as failed. */
export class FailureEvents extends Construct {
  constructor(scope: Construct, id: string, props: FailureEventsProps) {
    super(scope, id);
    // By a role: EventBridge honours no conditions in the policy of a topic, so without one anybody's rule could publish.
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('events.amazonaws.com'),
      description: 'Tells the critical topic of failures',
    });
    acknowledgeOwnPolicy(role);
    acknowledgeWildcards(role, {
      actions: ['kms:GenerateDataKey*'],
      reason: 'As SNS asks for it of who publishes to an encrypted topic; it is of the one key of the topics',
    });
    for (const { name, pattern, symptom, runbookAnchor } of [
      ...FAILURES,
      recoveryFailed(Stack.of(this), props.environmentName),
    ]) {
      const rule = new Rule(this, name, { description: symptom, eventPattern: pattern });
      acknowledge(rule, {
        nag: ['Serverless-EventBusDLQ'],
        reason:
          'Delivered again for a day; what a queue kept for longer, nobody could be told of but through the same topic',
      });
      rule.addTarget(
        new SnsTopic(props.critical, {
          role,
          message: RuleTargetInput.fromText(
            `${symptom} (${props.environmentName}). See the console of AWS for details. Runbook: docs/runbook.md#${runbookAnchor}`,
          ),
        }),
      );
    }
  }
}

function recoveryFailed(stack: Stack, environmentName: string): FailureEvent {
  const arns = DATABASE_NAMES.map((database) =>
    stack.formatArn({
      service: 'states',
      resource: 'stateMachine',
      resourceName: recoveryWorkflowName(environmentName, database),
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    }),
  );
  return {
    name: 'InstanceRecoveryFailed',
    pattern: {
      source: ['aws.states'],
      detailType: ['Step Functions Execution Status Change'],
      detail: { status: ['FAILED', 'TIMED_OUT', 'ABORTED'], stateMachineArn: arns },
    },
    symptom: 'The recovery of an instance did not finish',
    runbookAnchor: 'instance-recovery-failed',
  };
}

/** Headings that the messages link to. */
export const FAILURE_ANCHORS: readonly string[] = [
  ...new Set([...FAILURES.map(({ runbookAnchor }) => runbookAnchor), 'instance-recovery-failed']),
];
