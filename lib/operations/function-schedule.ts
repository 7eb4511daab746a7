import { Duration, TimeZone } from 'aws-cdk-lib';
import { Schedule, ScheduleExpression, ScheduleTargetInput, TimeWindow } from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets';
import { Construct } from 'constructs';
import type { ScheduleDefinition } from '../config/schedules';
import type { OperationalFunction } from './operational-function';

export interface FunctionScheduleProps {
  readonly target: OperationalFunction;
  readonly definition: ScheduleDefinition;
  readonly description: string;
  /** What the function is invoked with. @default - an empty request */
  readonly input?: Readonly<Record<string, string>>;
  /** @default true */
  readonly enabled?: boolean;
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
    new Schedule(this, 'Schedule', {
      description: props.description,
      schedule: ScheduleExpression.expression(definition.expression, TimeZone.ETC_UTC),
      timeWindow: TimeWindow.off(),
      enabled: props.enabled ?? true,
      target: new LambdaInvoke(target.function, {
        input: ScheduleTargetInput.fromObject(props.input ?? {}),
        deadLetterQueue: target.failureQueue,
        maxEventAge: Duration.minutes(definition.maximumAgeMinutes),
        retryAttempts: 3,
      }),
    });
  }
}
