import { HOUR, SECOND, VirtualClock } from '../support/states/clock';
import {
  type Definition,
  type Json,
  type JsonObject,
  type StateDefinition,
  validateDefinition,
} from '../../local/states/definition';
import { StatesError } from '../../local/states/errors';
import { execute, type ExecutionOptions } from '../../local/states/interpreter';

/** A state machine of these states, which starts with the first. */
const machine = (States: Record<string, StateDefinition>, rest: Partial<Definition> = {}): Definition => ({
  QueryLanguage: 'JSONata',
  StartAt: Object.keys(States)[0] ?? '',
  States,
  ...rest,
});
const clock = () => new VirtualClock('2026-11-21T12:00:00Z');
const run = (definition: Definition, options: Partial<ExecutionOptions> = {}) =>
  execute(definition, { clock: clock(), services: {}, ...options });
const task = (rest: Partial<StateDefinition> = {}): StateDefinition => ({
  Type: 'Task',
  Resource: 'api',
  End: true,
  ...rest,
});
const failing = (error: string, times = Infinity) => {
  let calls = 0;
  return { api: () => (++calls > times ? 'done' : refuse(error)) };
};
function refuse(error: string): never {
  throw new StatesError(error, 'as told');
}

describe('the interpreter agrees with the examples of the developer guide:', () => {
  test('expressions stand anywhere in Arguments, and text outside of them stays text', async () => {
    // "Transforming data with JSONata", first example.
    const execution = await run(
      machine({
        Name: { Type: 'Pass', Assign: { customerName: 'María' }, Next: 'Call' },
        Call: task({
          Arguments: {
            static: 'Hello',
            title: '{% $states.input.title %}',
            name: '{% $customerName %}',
            'not-evaluated': '$customerName',
          },
        }),
      }),
      { input: { title: 'Doctor' }, services: { api: (given) => given } },
    );
    expect(execution.output).toEqual({
      static: 'Hello',
      title: 'Doctor',
      name: 'María',
      'not-evaluated': '$customerName',
    });
  });

  test('all expressions of a state see the variables as they were when it was entered', async () => {
    // "Passing data between states with variables", evaluation order: x = 3, a = 6 → x = 6, nextX = 3.
    const execution = await run(
      machine({
        Begin: { Type: 'Pass', Assign: { x: 3, a: 6 }, Next: 'Swap' },
        Swap: { Type: 'Pass', Assign: { x: '{% $a %}', nextX: '{% $x %}' }, Output: '{% $x %}', Next: 'End' },
        End: { Type: 'Succeed', Output: { x: '{% $x %}', nextX: '{% $nextX %}', output: '{% $states.input %}' } },
      }),
    );
    expect(execution.output).toEqual({ x: 6, nextX: 3, output: 3 });
  });

  test('a result of `undefined` fails the state with States.QueryEvaluationError', async () => {
    const execution = await run(machine({ Only: { Type: 'Pass', Output: '{% $states.input.missing %}', End: true } }));
    expect(execution).toMatchObject({ status: 'FAILED', error: 'States.QueryEvaluationError' });
  });

  test('a catcher sees the error, and a choice or a wait has none', async () => {
    const caught = await run(
      machine({
        Call: task({
          Catch: [{ ErrorEquals: ['States.ALL'], Assign: { e: '{% $states.errorOutput %}' }, Next: 'End' }],
        }),
        End: { Type: 'Succeed', Output: '{% $e %}' },
      }),
      { services: failing('Api.Broken') },
    );
    expect(caught.output).toEqual({ Error: 'Api.Broken', Cause: 'as told' });
    expect(() => validateDefinition(machine({ Wait: { Type: 'Wait', Seconds: 1, Catch: [], End: true } }))).toThrow(
      /no field Catch/,
    );
  });

  test.each(['States.DataLimitExceeded', 'States.Runtime'])('States.ALL does not catch %s', async (error) => {
    const definition = machine({
      Call: task({ Catch: [{ ErrorEquals: ['States.ALL'], Next: 'End' }] }),
      End: { Type: 'Succeed' },
    });
    expect(await run(definition, { services: failing(error) })).toMatchObject({ status: 'FAILED', error });
  });

  test('variables of an outer scope are read by Map and Parallel, and not set', async () => {
    const inner = (Assign: Record<string, Json>) =>
      machine({
        Begin: { Type: 'Pass', Assign: { outer: 1 }, Next: 'Each' },
        Each: {
          Type: 'Map',
          Items: [10, 20],
          ItemProcessor: machine({
            Add: { Type: 'Pass', Assign, Output: '{% $states.input + $outer %}', End: true },
          }),
          End: true,
        },
      });
    expect((await run(inner({ own: 1 }))).output).toEqual([11, 21]);
    expect(await run(inner({ outer: 2 }))).toMatchObject({ status: 'FAILED' });
  });

  test('Parallel hands its arguments to every branch, and answers with all results', async () => {
    const branch = (Output: Json) => machine({ Only: { Type: 'Pass', Output, End: true } });
    const execution = await run(
      machine({
        Both: {
          Type: 'Parallel',
          Arguments: { n: 1 },
          Branches: [branch('{% $states.input.n %}'), branch('two')],
          End: true,
        },
      }),
    );
    expect(execution.output).toEqual([1, 'two']);
  });
});

describe('a retrier', () => {
  const retried = (rest: object) =>
    machine({ Call: task({ Retry: [{ ErrorEquals: ['Api.Busy'], IntervalSeconds: 3, ...rest }] }) });

  test('waits longer each time, up to its longest delay', async () => {
    // The guide: 3 s, then × 2, at most 5 s.
    const definition = retried({ BackoffRate: 2, MaxAttempts: 3, MaxDelaySeconds: 5 });
    const { status, startedAtMs, endedAtMs } = await run(definition, { services: failing('Api.Busy', 3) });
    expect([status, endedAtMs - startedAtMs]).toEqual(['SUCCEEDED', (3 + 5 + 5) * SECOND]);
  });

  test('gives up after its last attempt', async () => {
    const definition = retried({ MaxAttempts: 2 });
    expect(await run(definition, { services: failing('Api.Busy', 2) })).toMatchObject({ status: 'SUCCEEDED' });
    expect(await run(definition, { services: failing('Api.Busy', 3) })).toMatchObject({ error: 'Api.Busy' });
  });

  test('repeats nothing but what it names', async () => {
    expect(await run(retried({}), { services: failing('Api.Broken', 1) })).toMatchObject({ error: 'Api.Broken' });
  });
});

describe('a distributed Map', () => {
  const reader = {
    Resource: 'reader',
    ReaderConfig: { InputType: 'JSON' },
    Arguments: { Bucket: 'b', Key: '{% $states.input.key %}' },
  };
  const distributed = (rest: Partial<StateDefinition> = {}, states: Partial<StateDefinition> = {}) =>
    machine({
      Outer: { Type: 'Pass', Assign: { outer: 1 }, Next: 'Map' },
      Map: {
        Type: 'Map',
        ItemReader: reader,
        ItemSelector: { item: '{% $states.context.Map.Item.Value %}', key: '{% $states.input.key %}' },
        ItemProcessor: {
          ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
          StartAt: 'One',
          States: { One: task({ Arguments: '{% $states.input %}', ...states }) },
        },
        End: true,
        ...rest,
      },
    });
  const services = (text: string, one: (given: JsonObject) => Json = (given) => given) => ({
    reader: (given: JsonObject) => (given.Key === 'k' ? text : ''),
    api: one,
  });
  const ran = (definition: ReturnType<typeof machine>, given: ReturnType<typeof services>) =>
    run(definition, { services: given, input: { key: 'k' } });

  test('runs an execution for each item of an array in S3', async () => {
    const { output } = await ran(distributed(), services('["x", "y"]'));
    expect(output).toEqual([
      { item: 'x', key: 'k' },
      { item: 'y', key: 'k' },
    ]);
  });

  test('hands no variable to them', async () => {
    const definition = distributed({}, { Arguments: '{% $outer %}' });
    expect(await ran(definition, services('["x"]'))).toMatchObject({ error: 'States.ExceedToleratedFailureThreshold' });
  });

  test.each([
    ['', 'States.ItemReaderFailed'],
    ['{"a": 1}', 'States.ItemReaderFailed'],
    [JSON.stringify(Array(2).fill('x'.repeat(140_000))), 'States.DataLimitExceeded'],
  ])('fails by its reader, or by the size of its results', async (text, error) => {
    expect(await ran(distributed(), services(text))).toMatchObject({ error });
  });

  test('fails with more failed items than it tolerates, none by default', async () => {
    const failingByItem = ({ item }: JsonObject) => {
      if (item !== 'good') throw new StatesError('Broken', 'by item');
      return 1;
    };
    const items = '["bad", "good", "good"]';
    const error = 'States.ExceedToleratedFailureThreshold';
    expect(await ran(distributed(), services(items, failingByItem))).toMatchObject({ error });
    expect(await ran(distributed({ ToleratedFailureCount: 1 }), services(items, failingByItem))).toMatchObject({
      output: [null, 1, 1],
    });
  });

  test('is refused where Step Functions refuses it', () => {
    const inline = { ItemProcessor: { ...machine({ A: { Type: 'Succeed' } }), ProcessorConfig: { Mode: 'INLINE' } } };
    const express = { ...inline.ItemProcessor, ProcessorConfig: { Mode: 'DISTRIBUTED' } };
    expect(() => validateDefinition(distributed(inline))).toThrow(/an inline Map has no ItemReader/);
    expect(() => validateDefinition(distributed({ ItemProcessor: express }))).toThrow(/needs the ExecutionType/);
    expect(() => validateDefinition(distributed({ Label: 'a b' }))).toThrow(/not plain/);
    expect(() => validateDefinition(distributed({ Items: [] }))).toThrow(/either an ItemReader or Items/);
  });
});

describe('time', () => {
  test('passes by waiting for seconds or until a time, which may lie in the past', async () => {
    const definition = machine({
      Wait: { Type: 'Wait', Seconds: '{% 60 * 2 %}', Next: 'Until' },
      Until: { Type: 'Wait', Timestamp: '2026-11-21T13:00:00Z', Next: 'Past' },
      Past: { Type: 'Wait', Timestamp: '2020-01-01T00:00:00Z', End: true },
    });
    const { startedAtMs, endedAtMs } = await run(definition);
    expect(endedAtMs - startedAtMs).toBe(HOUR);
  });

  test('ends an execution that takes longer than it may', async () => {
    const definition = machine({ Wait: { Type: 'Wait', Seconds: 7200, End: true } }, { TimeoutSeconds: 3600 });
    expect(await run(definition)).toMatchObject({ status: 'TIMED_OUT' });
  });

  test('ends a task whose token is not answered with States.Timeout', async () => {
    const definition = machine({ Ask: task({ Resource: 'api.waitForTaskToken', TimeoutSeconds: 60 }) });
    const services = { 'api.waitForTaskToken': () => null };
    expect(await run(definition, { services })).toMatchObject({ error: 'States.Timeout' });
    const answered = await run(definition, {
      services,
      answer: (_, token) => ({ afterMs: 59 * SECOND, output: { token } }),
    });
    expect(answered.output).toEqual({ token: 'token-1' });
  });
});

test('a state that passes on more than 256 KiB fails with States.DataLimitExceeded', async () => {
  const definition = machine({ Call: task() });
  const services = { api: () => 'x'.repeat(300_000) };
  expect(await run(definition, { services })).toMatchObject({ error: 'States.DataLimitExceeded' });
});

test('a definition that Step Functions refuses is refused', () => {
  const refused: readonly [RegExp, Record<string, StateDefinition>][] = [
    [/no state is called Nowhere/, { A: { Type: 'Pass', Next: 'Nowhere' } }],
    [/needs either Next or End/, { A: { Type: 'Pass' } }],
    [/States.ALL stands alone/, { A: task({ Retry: [{ ErrorEquals: ['States.ALL', 'Other'] }] }) }],
    [/no field ResultPath/, { A: { Type: 'Pass', End: true, ResultPath: '$' } as StateDefinition }],
    [/longer than 80/, { ['A'.repeat(81)]: { Type: 'Succeed' } }],
  ];
  for (const [reason, states] of refused) expect(() => validateDefinition(machine(states))).toThrow(reason);
});
