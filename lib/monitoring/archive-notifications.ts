import { Stack } from 'aws-cdk-lib';
import { EventField, Rule } from 'aws-cdk-lib/aws-events';
import { Construct } from 'constructs';
import { DATABASE_NAMES, type DatabaseName, DRILL_EXECUTION } from '../../core/contract';
import { archiveWorkflowArn } from '../operations/recovery/large-archive';
import { restoreWorkflowArn } from '../operations/recovery/large-restore';
import { UNRECORDED } from '../operations/recovery/large-restore-states';
import { eventText, type TextContext } from './alarm-text';
import { alertTarget, type AlertTargetProps } from './alert-target';

/** Heading in `docs/runbook.md` that the message names. */
export const LARGE_ARCHIVE_ANCHOR = 'large-archive-failed';

export interface ArchiveNotificationsProps extends AlertTargetProps {
  /** What the message links to. */
  readonly context: TextContext;
  /** Databases that a workflow archives when they are too large for one call. */
  readonly archived: readonly DatabaseName[];
}

/** Reports an archive or a restore of a large database that did not finish. That there is none for too long is an alarm of its own. */
export class ArchiveNotifications extends Construct {
  constructor(scope: Construct, id: string, props: ArchiveNotificationsProps) {
    super(scope, id);
    const { context, archived } = props;
    const detail = (name: string) => EventField.fromPath(`$.detail.${name}`);
    const arnOf = (workflowArn: typeof archiveWorkflowArn) => (database: DatabaseName) =>
      workflowArn(Stack.of(this), context.names.environmentName, database);
    const rule = new Rule(this, 'Failed', {
      description: 'Reports that the archive or the restore of a large database did not finish',
      eventPattern: {
        source: ['aws.states'],
        detailType: ['Step Functions Execution Status Change'],
        detail: {
          stateMachineArn: [
            ...archived.map(arnOf(archiveWorkflowArn)),
            ...DATABASE_NAMES.map(arnOf(restoreWorkflowArn)),
          ],
          // A drill that ended is on record as failed, which is an alarm.
          $or: [
            { status: ['TIMED_OUT', 'ABORTED'] },
            { status: ['FAILED'], name: [{ 'anything-but': { prefix: DRILL_EXECUTION } }] },
            { status: ['FAILED'], cause: [{ wildcard: `*${UNRECORDED}*` }] },
          ],
        },
      },
    });
    const text = eventText(
      {
        symptom: `A large database was not archived, or an archive not restored, to the end: ${detail('status')} ${detail('executionArn')}. Earlier archives and the database in use are as they were. ${detail('cause')}`,
        owner: 'data',
        action:
          'What the message says after: To go on. It says nothing of an execution that was stopped or timed out: the instance of an archive is removed by its expiry, and a restore is continued when it is started again; see the runbook.',
        runbookAnchor: LARGE_ARCHIVE_ANCHOR,
        consolePage: 'stateMachines',
      },
      'warning',
      context,
    );
    rule.addTarget(alertTarget(props.topics.of('data'), 'warning', text, props.undelivered));
  }
}
