import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import colors from 'picocolors';
import type { ObservedInvocation } from '../aws/lambda-api';
import { FunctionError } from '../aws/lambda-runtime';
import type { BatchOutcome } from '../aws/event-source';
import type { ScheduleOutcome } from '../aws/scheduler';
import { duration } from '../runtime/console';
import type { ExecutionRecord } from '../states/executions';

/** What identifies an event in a line. */
interface EventLabel {
  readonly id: string;
  readonly type: string;
}

const SOURCE_WIDTH = 14;
/** arn:aws:lambda:<region>:<account>:function:<name>[:<alias>] */
const ARN_INDEX_OF_NAME = 6;
/** Failed events that a line names; the ledger and the log have them all. */
const MAX_NAMED = 5;

/** Prints a line for each request, batch, scheduled job and invocation; at first only for those that fail. */
export class Activity {
  private failuresOnly = true;

  constructor(
    private readonly print: (line: string) => void,
    private readonly clock: () => Date = () => new Date(),
  ) {}

  /** From now on, prints what succeeds as well. */
  showAll(): void {
    this.failuresOnly = false;
  }

  /** A request to the API that the function answered. What failed before it is API Gateway's to report. */
  request(functionName: string, event: APIGatewayProxyEvent, result: unknown, durationMs: number): void {
    const { statusCode = 502, body } = (result ?? {}) as Partial<APIGatewayProxyResult>;
    if (this.failuresOnly && statusCode < 400) return;
    const label = statusCode < 300 ? labelOf(bodyOf(event)) : undefined;
    const answered = statusCode < 300 ? `${event.httpMethod} ${event.path}` : printable(body ?? '');
    const text = label === undefined ? answered : `${label.id} ${label.type}`;
    this.line(functionName, `${statusCode} ${text}`, durationMs, statusCode >= 400);
  }

  batch({ functionName, messages, failed, error, durationMs }: BatchOutcome): void {
    const count = `${messages.length} event${messages.length === 1 ? '' : 's'}`;
    if (error !== undefined) {
      this.line(functionName, `failed with ${count}: ${reasonOf(error)}`, durationMs, true);
      return;
    }
    if (failed.size === 0) {
      this.line(functionName, `${count} processed`, durationMs, false);
      return;
    }
    const named = messages
      .filter(({ MessageId: id = '' }) => failed.has(id))
      .slice(0, MAX_NAMED)
      .map(({ Body: body = '', Attributes: { ApproximateReceiveCount: receives = '1' } = {} }) => {
        const { id, type } = labelOf(body) ?? { id: 'a message that is no event', type: '' };
        return `${id} ${type} (delivery ${receives})`;
      });
    const more = failed.size > named.length ? `, and ${failed.size - named.length} more` : '';
    this.line(functionName, `${failed.size} of ${count} failed: ${named.join(', ')}${more}`, durationMs, true);
  }

  job({ schedule, error, durationMs }: ScheduleOutcome): void {
    const functionName = schedule.functionArn.split(':')[ARN_INDEX_OF_NAME] ?? schedule.name;
    const outcome = error === undefined ? 'done' : `failed: ${reasonOf(error)}`;
    this.line(functionName, `${schedule.description}: ${outcome}`, durationMs, error !== undefined);
  }

  invocation({ functionName, error, durationMs }: ObservedInvocation): void {
    const outcome = error === undefined ? 'answered' : `failed: ${reasonOf(error)}`;
    this.line(functionName, `invoked, ${outcome}`, durationMs, error !== undefined);
  }

  /** An execution of a state machine that has ended. */
  workflow({
    machine,
    name,
    status,
    startedAtMs,
    stoppedAtMs = startedAtMs,
    error,
    cause = '',
  }: ExecutionRecord): void {
    const failed = status !== 'SUCCEEDED';
    const reason = failed ? `: ${error ?? 'no reason given'}: ${printable(cause)}` : '';
    this.line(machine.name, `workflow ${name} ${status.toLowerCase()}${reason}`, stoppedAtMs - startedAtMs, failed);
  }

  private line(functionName: string, text: string, durationMs: number, failed: boolean): void {
    if (this.failuresOnly && !failed) return;
    const time = this.clock().toISOString().slice(11, 19);
    const source = (functionName.split('-').slice(2).join('-') || functionName).padEnd(SOURCE_WIDTH);
    this.print(
      `${colors.dim(time)}  ${source} ${failed ? colors.red(text) : text}  ${colors.dim(duration(durationMs))}`,
    );
  }
}

function bodyOf({ body, isBase64Encoded }: APIGatewayProxyEvent): string {
  return Buffer.from(body ?? '', isBase64Encoded ? 'base64' : 'utf8').toString('utf8');
}

/** Id and type of an event; undefined when the text is none. */
function labelOf(text: string): EventLabel | undefined {
  try {
    const { id, type } = JSON.parse(text) as Partial<EventLabel>;
    return typeof id === 'string' && typeof type === 'string'
      ? { id: printable(id), type: printable(type) }
      : undefined;
  } catch {
    return undefined;
  }
}

const MAX_TEXT = 200;

/** A text from outside on one line, without what would steer a terminal. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ').slice(0, MAX_TEXT);
}

function reasonOf(error: Error): string {
  if (!(error instanceof FunctionError)) return printable(error.message);
  return `${error.errorType}: ${printable(error.errorMessage)} (log: ${error.logFile})`;
}
