import { Stack } from 'aws-cdk-lib';
import { EventField, Rule, type EventPattern } from 'aws-cdk-lib/aws-events';
import { Construct } from 'constructs';
import { DATABASE_NAMES } from '../../core/contract';
import type { AlertDefinition, Severity } from '../config/alarms/alarm-definition';
import type { Owner } from '../config/alarms/owners';
import { RECOVERY_POLICY, TEMPORARY_INSTANCE_POLICY } from '../config/recovery-policy';
import { drillWorkflowArn } from '../operations/recovery/instance-drill';
import { recoveryWorkflowArn } from '../operations/recovery/instance-recovery';
import { rowWorkflowArn } from '../operations/recovery/row-workflow';
import { RECOVERY_EVENTS, RECOVERY_EVENT_SOURCE, type RecoveryEvent } from '../operations/recovery/recovery-events';
import { eventText, type TextContext } from './alarm-text';
import { alertTarget, type AlertTargetProps } from './alert-target';

/** Headings in `docs/runbook.md` that the messages name. */
export const RECOVERY_ANCHORS: readonly string[] = [
  'instance-recovery-confirmation',
  'instance-recovery-failed',
  'instance-recovery-leftovers',
  'instance-drill-failed',
  'row-recovery-answer',
  'row-recovery-failed',
  'temporary-instance-kept',
];

export interface RecoveryNotificationsProps extends AlertTargetProps {
  /** What the messages link to. */
  readonly context: TextContext;
}

/** Group that recoveries ask and tell. */
const OWNER: Owner = 'data';

/** One rule: which events, to which topic, and what the message says. */
interface Notification extends Omit<AlertDefinition, 'consolePage' | 'owner'> {
  /** Id of its rule. */
  readonly id: string;
  readonly severity: Severity;
  readonly pattern: EventPattern;
  /** What the rule is for. */
  readonly description: string;
}

const detail = (name: string) => EventField.fromPath(`$.detail.${name}`);

/** Sends what recoveries ask and report to the topics: the question with the command that answers it, the end, failures. */
export class RecoveryNotifications extends Construct {
  constructor(scope: Construct, id: string, props: RecoveryNotificationsProps) {
    super(scope, id);
    for (const notification of [...this.progress(props), ...this.rows(props), ...this.failures(props)]) {
      const rule = new Rule(this, notification.id, {
        description: notification.description,
        eventPattern: notification.pattern,
      });
      const text = eventText(
        { ...notification, owner: OWNER, consolePage: 'stateMachines' },
        notification.severity,
        props.context,
      );
      rule.addTarget(alertTarget(props.topics.of(OWNER), notification.severity, text, props.undelivered));
    }
  }

  private progress({ context }: RecoveryNotificationsProps): Notification[] {
    const on = eventsOf(context);
    const instance = `instance of the ${detail('database')} database`;
    const answer = (kind: 'success' | 'failure') =>
      `aws stepfunctions send-task-${kind} --region ${context.region} --task-token ${detail('taskToken')}`;
    return [
      {
        id: 'ConfirmationRequested',
        description: 'Asks for the confirmation of a cut-over',
        severity: 'critical',
        pattern: on(RECOVERY_EVENTS.confirmationRequested),
        symptom: `The recovered ${instance}, ${detail('recoveredInstance')}, is proven and waits for ${RECOVERY_POLICY.confirmationHours} hours. ${detail('note')} From the start to traffic: ${detail('minutesToTraffic')} minutes if confirmed now; target ${detail('targetMinutes')}`,
        action: `To cut over, type: ${answer('success')} --task-output '{"confirm": "${detail('confirmWith')}"}'\nTo refuse, type: ${answer('failure')} --error CutOverRefused`,
        runbookAnchor: 'instance-recovery-confirmation',
      },
      {
        id: 'TrafficRestored',
        description: 'Reports that traffic flows to a recovered instance',
        severity: 'critical',
        pattern: on(RECOVERY_EVENTS.trafficRestored),
        symptom: `Traffic flows to the recovered ${instance}, ${detail('minutesToTraffic')} minutes after the start; target ${detail('targetMinutes')}`,
        action: 'Check that customers are served. The recovery continues by itself.',
        runbookAnchor: 'instance-recovery-confirmation',
      },
      {
        id: 'NameRequested',
        description: 'Asks when a recovered instance takes the name of the one that it replaces',
        severity: 'critical',
        pattern: on(RECOVERY_EVENTS.nameRequested),
        symptom: `The recovered ${instance} serves the proxy, and waits to take the name ${detail('instance')}, which pauses traffic for about ${RECOVERY_POLICY.renameMinutes + RECOVERY_POLICY.proxyMinutes} minutes. Until then backups, reconciliation and other functions that connect without the proxy do not work. Without an answer it takes the name after ${RECOVERY_POLICY.renameDelayHours} hours`,
        action: `At a moment that suits, type: ${answer('success')} --task-output '{}'`,
        runbookAnchor: 'instance-recovery-confirmation',
      },
      {
        id: 'Completed',
        description: 'Reports that a recovery is complete',
        severity: 'critical',
        pattern: on(RECOVERY_EVENTS.completed),
        symptom: `The recovery of the ${instance} is complete. ${detail('keeps')}`,
        action: 'Replay what the restored database lacks.',
        runbookAnchor: 'instance-recovery-confirmation',
      },
      {
        id: 'Leftovers',
        description: 'Reminds of instances that a recovery left behind',
        severity: 'warning',
        pattern: on(RECOVERY_EVENTS.leftovers),
        symptom: `A recovery of the ${instance} left instances behind, each of which costs as much as the one in use: ${detail('instances')}`,
        action: 'Delete those that are not needed any more.',
        runbookAnchor: 'instance-recovery-leftovers',
      },
    ];
  }

  /** About rows of a moment, and the temporary instances that they are read from. */
  private rows({ context }: RecoveryNotificationsProps): Notification[] {
    const { environmentName } = context.names;
    const on = eventsOf(context);
    const ops = (command: string) => `npx ops ${command} --env ${environmentName}`;
    const report = `${detail('database')} ${detail('reportId')}`;
    return [
      {
        id: 'RowsReported',
        description: 'Asks what becomes of the rows of a moment',
        severity: 'critical',
        pattern: on(RECOVERY_EVENTS.rowsReported),
        symptom: `Rows of ${detail('tables')} in the ${detail('database')} database were compared with those of a moment: ${detail('deleted')} are gone, ${detail('changed')} changed. ${detail('note')} The instance ${detail('instance')} costs until it is removed, at ${detail('removeAt')}`,
        action: `To see them: ${ops(`rows show ${report}`)}\nTo put back those that are gone: ${ops(`rows merge ${report}`)}\nTo compare others: ${ops(`rows report ${detail('database')} <tables> --from-instance ${detail('instance')}`)}\nTo remove the instance: ${ops(`rows done ${detail('database')}`)}, or aws stepfunctions send-task-success --region ${context.region} --task-token ${detail('taskToken')} --task-output '{"done": true}'`,
        runbookAnchor: 'row-recovery-answer',
      },
      {
        id: 'RowsUnanswered',
        description: 'Reports that an instance with the rows of a moment was removed without an answer',
        severity: 'warning',
        pattern: on(RECOVERY_EVENTS.rowsUnanswered),
        symptom: `Nobody said what becomes of the rows of the ${detail('database')} database, so the instance ${detail('instance')} was removed. Report ${detail('reportId')} is kept for 30 days`,
        action: `Merge from the report, or start again: ${ops(`rows show ${report}`)}`,
        runbookAnchor: 'row-recovery-answer',
      },
      {
        id: 'InstanceDrilled',
        description: 'Reports that the recovery of an instance was rehearsed',
        severity: 'warning',
        pattern: on(RECOVERY_EVENTS.instanceDrilled),
        symptom: `The recovery of the instance of the ${detail('database')} database was rehearsed: sound, in ${detail('minutes')} minutes with the cut-over; target ${detail('targetMinutes')}. The restored instance was removed`,
        action: 'Nothing. Keep this message: it is the proof of the quarter.',
        runbookAnchor: 'instance-drill-failed',
      },
      {
        id: 'TemporaryKept',
        description: 'Reminds of a temporary instance',
        severity: 'warning',
        pattern: on(RECOVERY_EVENTS.temporaryKept),
        symptom: `The temporary instance ${detail('instance')} of the ${detail('database')} database (${detail('purpose')}) still exists, and costs. It is removed at ${detail('removeAt')} by itself`,
        action: 'End a comparison of rows, which removes it; wait for an archive.',
        runbookAnchor: 'temporary-instance-kept',
      },
      {
        id: 'TemporaryRemains',
        description: 'Reports that a temporary instance could not be removed',
        severity: 'critical',
        pattern: on(RECOVERY_EVENTS.temporaryRemains),
        symptom: `The temporary instance ${detail('instance')} of the ${detail('database')} database (${detail('purpose')}) should have been removed at ${detail('removeAt')}, still exists, and costs. Its removal is tried again every ${TEMPORARY_INSTANCE_POLICY.attemptHours} hours`,
        action: 'Delete it by hand.',
        runbookAnchor: 'temporary-instance-kept',
      },
    ];
  }

  private failures({ context }: RecoveryNotificationsProps): Notification[] {
    const ended = (arnOf: typeof recoveryWorkflowArn): EventPattern => ({
      source: ['aws.states'],
      detailType: ['Step Functions Execution Status Change'],
      detail: {
        status: ['FAILED', 'TIMED_OUT', 'ABORTED'],
        stateMachineArn: DATABASE_NAMES.map((database) =>
          arnOf(Stack.of(this), context.names.environmentName, database),
        ),
      },
    });
    const why = `${detail('status')} ${detail('executionArn')}. No data was deleted. ${detail('cause')}`;
    return [
      {
        id: 'Failed',
        description: 'Reports that a recovery did not finish',
        severity: 'critical',
        pattern: ended(recoveryWorkflowArn),
        symptom: `The recovery of an instance did not finish: ${why}`,
        action:
          'What the message says after: To go on. It says nothing of an execution that was stopped: see the runbook.',
        runbookAnchor: 'instance-recovery-failed',
      },
      {
        id: 'DrillFailed',
        description: 'Reports that the recovery of an instance could not be rehearsed, or would miss its target',
        severity: 'warning',
        pattern: ended(drillWorkflowArn),
        symptom: `The drill of an instance did not pass: ${why}`,
        action:
          'What the message says after: To go on. It says nothing of an execution that was stopped: its instance is removed by its expiry.',
        runbookAnchor: 'instance-drill-failed',
      },
      {
        id: 'RowsFailed',
        description: 'Reports that rows of a moment could not be compared',
        severity: 'critical',
        pattern: ended(rowWorkflowArn),
        symptom: `The comparison of rows with those of a moment did not finish: ${why}`,
        action: `What the message says after: To go on. The temporary instance of an execution that was stopped is removed within ${TEMPORARY_INSTANCE_POLICY.keepHours + 1} hours of its start, or by hand.`,
        runbookAnchor: 'row-recovery-failed',
      },
    ];
  }
}

/** Patterns of the events of one environment. */
function eventsOf({ names }: TextContext): (type: RecoveryEvent) => EventPattern {
  return (type) => ({
    source: [RECOVERY_EVENT_SOURCE],
    detailType: [type],
    detail: { environment: [names.environmentName] },
  });
}
