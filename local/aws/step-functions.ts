import { randomUUID } from 'node:crypto';
import type { HttpServer } from '../runtime/http-server';
import type { ExecutionRecord, Executions, StateMachine } from '../states/executions';
import { textOf } from '../states/text';
import { ServiceError, startJsonService, type ServiceInput } from './json-service';

export interface StepFunctionsOptions {
  readonly machines: readonly StateMachine[];
  readonly executions: Executions;
}

/** More than Step Functions takes of an input, with its quotes escaped. */
const MAX_REQUEST_BYTES = 1024 * 1024;
/** Form of the name of an execution. */
const NAME = /^[\w.-]{1,80}$/;

/**
 * Serves the actions of Step Functions by which the functions and `ops` start, list, follow and stop executions. What was
 * executed is known as long as the server lives; there is no limit of 90 days to the name of an execution.
 */
export function startStepFunctions({ machines, executions }: StepFunctionsOptions): Promise<HttpServer> {
  const machineOf = (arn: unknown): StateMachine => {
    const found = machines.find((machine) => machine.arn === arn);
    if (found) return found;
    const known = machines.map(({ name }) => name).join(', ');
    throw new ServiceError(
      'StateMachineDoesNotExist',
      `State Machine Does Not Exist: '${textOf(arn)}' (here are: ${known})`,
    );
  };
  const executionOf = (arn: unknown): ExecutionRecord => {
    const found = executions.find(textOf(arn));
    if (found) return found;
    throw new ServiceError('ExecutionDoesNotExist', `Execution Does Not Exist: '${textOf(arn)}'`);
  };
  return startJsonService({
    maxRequestBytes: MAX_REQUEST_BYTES,
    act(action, request) {
      switch (action) {
        case 'StartExecution':
          return start(executions, machineOf(request.stateMachineArn), request);
        case 'DescribeExecution':
          return described(executionOf(request.executionArn));
        case 'ListExecutions':
          return listed(executions.of(machineOf(request.stateMachineArn).arn), request);
        case 'GetExecutionHistory':
          return historyOf(executionOf(request.executionArn), request);
        case 'StopExecution': {
          const { arn } = executionOf(request.executionArn);
          executions.stop(arn, { error: optional(request.error), cause: optional(request.cause) });
          return { stopDate: Date.now() / 1000 };
        }
        default: {
          const served = 'StartExecution, StopExecution, DescribeExecution, ListExecutions and GetExecutionHistory';
          throw new ServiceError('UnknownOperationException', `This stand-in for Step Functions has ${served}.`);
        }
      }
    },
  });
}

function optional(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** A call that is repeated while the execution runs is answered as the first was. */
function start(executions: Executions, machine: StateMachine, { name, input = '{}' }: ServiceInput): object {
  const wanted = optional(name) ?? randomUUID();
  if (!NAME.test(wanted)) throw new ServiceError('InvalidName', `Invalid Name: '${wanted}'`);
  const text = textOf(input);
  try {
    JSON.parse(text);
  } catch (error) {
    throw new ServiceError('InvalidExecutionInput', `Invalid State Machine Execution Input: ${String(error)}`);
  }
  const present = executions.of(machine.arn).find((execution) => execution.name === wanted);
  if (present && (present.status !== 'RUNNING' || present.input !== text)) {
    throw new ServiceError('ExecutionAlreadyExists', `Execution Already Exists: '${present.arn}'`);
  }
  const { arn, startedAtMs } = present ?? executions.start(machine, wanted, text);
  return { executionArn: arn, startDate: startedAtMs / 1000 };
}

function summaryOf({ arn, name, machine, status, startedAtMs, stoppedAtMs }: ExecutionRecord): object {
  return {
    executionArn: arn,
    stateMachineArn: machine.arn,
    name,
    status,
    startDate: startedAtMs / 1000,
    ...(stoppedAtMs !== undefined && { stopDate: stoppedAtMs / 1000 }),
  };
}

function described(execution: ExecutionRecord): object {
  const { input, output, error, cause } = execution;
  return {
    ...summaryOf(execution),
    input,
    ...(output !== undefined && { output: JSON.stringify(output) }),
    ...(error !== undefined && { error }),
    ...(cause !== undefined && { cause }),
  };
}

function listed(all: readonly ExecutionRecord[], { statusFilter, maxResults }: ServiceInput): object {
  const wanted = all.filter(({ status }) => statusFilter === undefined || status === statusFilter);
  return { executions: wanted.slice(0, Number(maxResults ?? 0) || undefined).map(summaryOf) };
}

/** The states that were entered: what `ops` shows as progress. */
function historyOf({ entered, machine }: ExecutionRecord, { reverseOrder = false, maxResults }: ServiceInput): object {
  const events = entered.map(({ state, atMs }, index) => ({
    id: index + 1,
    previousEventId: index,
    timestamp: atMs / 1000,
    type: `${machine.definition.States[state]?.Type ?? 'Pass'}StateEntered`,
    stateEnteredEventDetails: { name: state },
  }));
  const ordered = reverseOrder === true ? events.toReversed() : events;
  return { events: ordered.slice(0, Number(maxResults ?? 0) || undefined) };
}
