import { Duration, TimeZone } from 'aws-cdk-lib';
import { Grant, Role, type IRole } from 'aws-cdk-lib/aws-iam';
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
import { serviceOfAccount } from '../policy/service-principal';
import type { ScheduleDefinition } from '../config/schedules';
import type { OperationalFunction } from './operational-function';

export interface FunctionScheduleProps {
  /** Function to invoke; must be asynchronous. */
  readonly target: OperationalFunction;
  /** When it runs, and how late it may still start. */
  readonly definition: ScheduleDefinition;
  /** What the run does, as the console shows it. */
  readonly description: string;
  /** Request of the function. @default - an empty request */
  readonly input?: Readonly<Record<string, unknown>>;
  /** Whether the schedule is active. @default true */
  readonly enabled?: boolean;
}

/** Scheduler keeps an undelivered start for a minute at least. */
const LEAST_MAXIMUM_AGE_MINUTES = 1;

/** The target of the framework, without the permission to invoke every version of the function. */
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

/** Invokes a function on a schedule. A start that cannot be delivered goes to the failure queue of the function. */
export class FunctionSchedule extends Construct {
  constructor(scope: Construct, id: string, props: FunctionScheduleProps) {
    super(scope, id);
    const { target, definition } = props;
    if (definition.maximumAgeMinutes >= Math.max(definition.periodMinutes, LEAST_MAXIMUM_AGE_MINUTES + 1)) {
      throw new Error(
        `${this.node.path}: maximumAgeMinutes must be below the period of ${definition.periodMinutes}, got ${definition.maximumAgeMinutes}`,
      );
    }
    if (!target.failureQueue) throw new Error(`${this.node.path}: a scheduled function must be asynchronous`);
    const role = new Role(this, 'Role', {
      assumedBy: serviceOfAccount(
        this,
        'scheduler.amazonaws.com',
        ScheduleGroup.fromDefaultScheduleGroup(this, 'Group').scheduleGroupArn,
      ),
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
