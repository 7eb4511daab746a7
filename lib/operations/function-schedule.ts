import { Duration, Stack, TimeZone } from 'aws-cdk-lib';
import { Grant, Role, ServicePrincipal, type IRole } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import {
  Schedule,
  ScheduleExpression,
  ScheduleGroup,
  ScheduleTargetInput,
  TimeWindow,
} from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke, type ScheduleTargetBaseProps } from 'aws-cdk-lib/aws-scheduler-targets';
import { Construct } from 'constructs';
import { acknowledgeOwnPolicy } from '../policy/acknowledge-permissions';
import type { ScheduleDefinition } from '../config/schedules';
import type { OperationalFunction } from './operational-function';

export interface FunctionScheduleProps {
  readonly target: OperationalFunction;
  readonly definition: ScheduleDefinition;
  readonly description: string;
  /** What the function is invoked with. @default - an empty request */
  readonly input?: Readonly<Record<string, unknown>>;
  /** @default true */
  readonly enabled?: boolean;
}

/** As the framework's, which would also let the schedule invoke every version of the function. */
class ExactInvocation extends LambdaInvoke {
  constructor(
    private readonly target: IFunction,
    props: ScheduleTargetBaseProps,
  ) {
    super(target, props);
  }

  protected override addTargetActionToRole(role: IRole): void {
    Grant.addToPrincipal({
      grantee: role,
      actions: ['lambda:InvokeFunction'],
      resourceArns: [this.target.functionArn],
    });
  }
}

/** Runs a function by itself. A start that cannot be delivered lands where its failures land. */
export class FunctionSchedule extends Construct {
  constructor(scope: Construct, id: string, props: FunctionScheduleProps) {
    super(scope, id);
    const { target, definition } = props;
    if (definition.maximumAgeMinutes >= definition.periodMinutes) {
      throw new Error(
        `${this.node.path}: maximumAgeMinutes must be below the period of ${definition.periodMinutes}, got ${definition.maximumAgeMinutes}`,
      );
    }
    if (!target.failureQueue) throw new Error(`${this.node.path}: a scheduled function must be asynchronous`);
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        // Only for our own schedules: without it, anybody's could be made to use the role.
        conditions: {
          StringEquals: {
            'aws:SourceAccount': Stack.of(this).account,
            'aws:SourceArn': ScheduleGroup.fromDefaultScheduleGroup(this, 'Group').scheduleGroupArn,
          },
        },
      }),
      description: `Invokes ${target.stem} on its schedule`,
    });
    acknowledgeOwnPolicy(role);
    new Schedule(this, 'Schedule', {
      description: props.description,
      schedule: ScheduleExpression.expression(definition.expression, TimeZone.ETC_UTC),
      timeWindow: TimeWindow.off(),
      enabled: props.enabled ?? true,
      target: new ExactInvocation(target.function, {
        role,
        input: ScheduleTargetInput.fromObject(props.input ?? {}),
        deadLetterQueue: target.failureQueue,
        maxEventAge: Duration.minutes(definition.maximumAgeMinutes),
        retryAttempts: 3,
      }),
    });
  }
}
