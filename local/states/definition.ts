import { StatesError } from './errors';

/** A value of JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A JSON object. */
export type JsonObject = Readonly<Record<string, Json>>;

export interface Retrier {
  readonly ErrorEquals: readonly string[];
  readonly IntervalSeconds?: number;
  readonly MaxAttempts?: number;
  readonly BackoffRate?: number;
  readonly MaxDelaySeconds?: number;
  readonly JitterStrategy?: 'FULL' | 'NONE';
}

export interface Catcher {
  readonly ErrorEquals: readonly string[];
  readonly Next: string;
  readonly Assign?: JsonObject;
  readonly Output?: Json;
}

export interface ChoiceRule {
  readonly Condition: string;
  readonly Next: string;
  readonly Assign?: JsonObject;
  readonly Output?: Json;
}

/** One state, with the fields of every type. {@link validateDefinition} checks which of them its type has. */
export interface StateDefinition {
  readonly Type: 'Task' | 'Pass' | 'Choice' | 'Wait' | 'Succeed' | 'Fail' | 'Map' | 'Parallel';
  readonly Comment?: string;
  readonly Next?: string;
  readonly End?: boolean;
  readonly Assign?: JsonObject;
  readonly Output?: Json;
  readonly Resource?: string;
  readonly Arguments?: Json;
  readonly TimeoutSeconds?: number | string;
  readonly Retry?: readonly Retrier[];
  readonly Catch?: readonly Catcher[];
  readonly Choices?: readonly ChoiceRule[];
  readonly Default?: string;
  readonly Seconds?: number | string;
  readonly Timestamp?: string;
  readonly Error?: string;
  readonly Cause?: string;
  readonly Items?: Json;
  readonly ItemSelector?: Json;
  readonly ItemProcessor?: Definition;
  readonly MaxConcurrency?: number;
  readonly ItemReader?: {
    readonly Resource: string;
    readonly ReaderConfig?: { readonly InputType: string };
    readonly Arguments?: Json;
  };
  readonly Label?: string;
  readonly ToleratedFailureCount?: number;
  readonly ToleratedFailurePercentage?: number;
  readonly Branches?: readonly Definition[];
}

/** A state machine in the Amazon States Language with JSONata, or the part of one that Map and Parallel run. */
export interface Definition {
  readonly Comment?: string;
  readonly QueryLanguage?: string;
  readonly StartAt: string;
  readonly TimeoutSeconds?: number;
  readonly ProcessorConfig?: { readonly Mode: string; readonly ExecutionType?: string };
  readonly States: Readonly<Record<string, StateDefinition>>;
}

const COMMON = ['Type', 'Comment', 'QueryLanguage'];
const FLOW = ['Next', 'End', 'Output', 'Assign'];
/** Fields of a Map whose items are executions of their own. */
const DISTRIBUTED_ONLY = ['ItemReader', 'Label', 'ToleratedFailureCount', 'ToleratedFailurePercentage'];
/** The fields that each type of state has in JSONata, by the developer guide. */
const FIELDS: Readonly<Record<StateDefinition['Type'], readonly string[]>> = {
  Task: [...COMMON, ...FLOW, 'Resource', 'Arguments', 'TimeoutSeconds', 'HeartbeatSeconds', 'Retry', 'Catch'],
  Pass: [...COMMON, ...FLOW],
  Choice: [...COMMON, 'Choices', 'Default', 'Output', 'Assign'],
  Wait: [...COMMON, ...FLOW, 'Seconds', 'Timestamp'],
  Succeed: [...COMMON, 'Output'],
  Fail: [...COMMON, 'Error', 'Cause'],
  Map: [
    ...COMMON,
    ...FLOW,
    'Items',
    'ItemSelector',
    'ItemProcessor',
    'MaxConcurrency',
    'Retry',
    'Catch',
    ...DISTRIBUTED_ONLY,
  ],
  Parallel: [...COMMON, ...FLOW, 'Branches', 'Arguments', 'Retry', 'Catch'],
};
const ENDS = new Set(['Succeed', 'Fail', 'Choice']);
const MAXIMUM_NAME = 80;

/** Where a state may go next: by its own fields, a rule or a catcher. */
export function followersOf(state: StateDefinition): string[] {
  return [
    state.Next,
    state.Default,
    ...(state.Choices ?? []).map(({ Next }) => Next),
    ...(state.Catch ?? []).map(({ Next }) => Next),
  ].filter((next) => next !== undefined);
}

/** Whether the items of a Map are executions of their own, with a history and limits of their own. */
export function isDistributed({ ItemProcessor }: StateDefinition): boolean {
  return ItemProcessor?.ProcessorConfig?.Mode === 'DISTRIBUTED';
}

/** What Step Functions refuses of a Map; by the developer guide, "Using Map state in Distributed mode". */
function wrongMap(state: StateDefinition): string | undefined {
  const { ItemProcessor, ItemReader, Items, Label = '' } = state;
  if (ItemProcessor === undefined) return undefined;
  if (!isDistributed(state)) {
    const foreign = DISTRIBUTED_ONLY.filter((field) => field in state);
    return foreign.length > 0 ? `an inline Map has no ${foreign.join(', ')}` : undefined;
  }
  if (!['STANDARD', 'EXPRESS'].includes(ItemProcessor.ProcessorConfig?.ExecutionType ?? '')) {
    return 'a distributed Map needs the ExecutionType STANDARD or EXPRESS';
  }
  if (!/^[A-Za-z0-9_-]{0,40}$/.test(Label)) return `the Label ${Label} is longer than 40 characters, or not plain`;
  return ItemReader && Items !== undefined ? 'has either an ItemReader or Items' : undefined;
}

/**
 * Refuses what Step Functions refuses when a state machine is created.
 *
 * @throws StatesError `InvalidDefinition`
 */
export function validateDefinition({ StartAt, States }: Definition): void {
  const refuse = (name: string, reason: string) => {
    throw new StatesError('InvalidDefinition', `${name}: ${reason}`);
  };
  if (!(StartAt in States)) refuse('StartAt', `no state is called ${StartAt}`);
  for (const [name, state] of Object.entries(States)) {
    if (name.length > MAXIMUM_NAME) refuse(name, `longer than ${MAXIMUM_NAME} characters`);
    const unknown = Object.keys(state).filter((field) => !FIELDS[state.Type].includes(field));
    if (unknown.length > 0) refuse(name, `${state.Type} has no field ${unknown.join(', ')}`);
    for (const next of followersOf(state)) if (!(next in States)) refuse(name, `no state is called ${next}`);
    if (!ENDS.has(state.Type) && (state.Next === undefined) === (state.End === undefined)) {
      refuse(name, 'needs either Next or End');
    }
    for (const list of [state.Retry ?? [], state.Catch ?? []]) {
      for (const [at, { ErrorEquals }] of list.entries()) {
        const wild = ErrorEquals.includes('States.ALL');
        if (wild && (ErrorEquals.length > 1 || at < list.length - 1)) refuse(name, 'States.ALL stands alone, and last');
      }
    }
    const reason = wrongMap(state);
    if (reason !== undefined) refuse(name, reason);
    const nested = [...(state.Branches ?? []), ...(state.ItemProcessor ? [state.ItemProcessor] : [])];
    for (const definition of nested) validateDefinition(definition);
  }
}
