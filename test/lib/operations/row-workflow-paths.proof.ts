import { DATABASE_NAMES, type DatabaseName } from '../../../core/contract';
import { RECOVERY_EVENTS } from '../../../lib/operations/recovery/recovery-events';
import { templatesOf } from '../support';
import { DAY, HOUR, MINUTE } from '../../support/states/clock';
import type { Definition, Json, JsonObject } from '../../../local/states/definition';
import { deployedDefinition } from '../../support/states/deployed-definition';
import { StatesError } from '../../../local/states/errors';
import { waysOut, type Execution, type ExecutionOptions, type TokenAnswer } from '../../../local/states/interpreter';
import { RecoveryWorld } from '../../support/states/recovery-world';

const TIME = { restoreTime: '2026-11-21T06:00:07Z' };
const SNAPSHOT = { snapshotArn: 'arn:aws:rds:eu-central-1:333333333333:snapshot:awsbackup:job-1' };
const ASK = 'Ask what to do';

const definitions: Readonly<Record<DatabaseName, Definition>> = {
  billing: deployedDefinition(templatesOf('production'), 'BillingOps-production-rows-billing'),
  main: deployedDefinition(templatesOf('production'), 'BillingOps-production-rows-main'),
};
const expiries: Readonly<Record<DatabaseName, Definition>> = {
  billing: deployedDefinition(templatesOf('production'), 'BillingOps-production-rows-expiry-billing'),
  main: deployedDefinition(templatesOf('production'), 'BillingOps-production-rows-expiry-main'),
};

const after = (minutes: number, output: Json): TokenAnswer => ({ afterMs: minutes * MINUTE, output });
const DONE = after(20, { done: true });
const merge = (confirm: string) => after(5, { merge: 'deleted', confirm });

/** One way through the workflow: what is arranged, and how it ends. */
interface Path {
  readonly when: string;
  /** `SUCCEEDED`, or the error of the failure. */
  readonly ends: string;
  readonly input?: JsonObject;
  readonly arrange?: (world: RecoveryWorld) => void;
  readonly answers?: readonly TokenAnswer[];
  /** What happens when a state is entered for the first time. */
  readonly meanwhile?: Readonly<Record<string, (world: RecoveryWorld) => void>>;
  readonly failAt?: ExecutionOptions['failAt'];
}

const becomes = (status: string) => (world: RecoveryWorld) => world.rds.find(world.recovered).plan([0, status]);
const goes = (world: RecoveryWorld) => world.rds.delete(world.recovered, { keepBackups: false });
const lost = (world: RecoveryWorld) => {
  world.rds.losesAnswer = true;
};
const deleted = (keepBackups: boolean) => (world: RecoveryWorld) => world.rds.delete(world.id, { keepBackups });
const without = (action: string, error: string) => (world: RecoveryWorld) => {
  world.functions.rows = (request) => {
    if (request.action !== action) return world.rowsAnswered(request);
    throw new StatesError(error, '{"errorMessage":"why \\"it\\" failed"}');
  };
};
const WAITS = ['Wait until restored', 'Wait until the password is set'];

const PATHS: readonly Path[] = [
  { when: 'the latest moment is asked for', ends: 'SUCCEEDED' },
  { when: 'a second is asked for', ends: 'SUCCEEDED', input: TIME },
  { when: 'a recovery point is asked for', ends: 'SUCCEEDED', input: SNAPSHOT },
  { when: 'conditions are given', ends: 'SUCCEEDED', input: { where: [{ column: 'id', operator: '=', value: 'x' }] } },
  {
    when: 'the rows take several calls',
    ends: 'SUCCEEDED',
    arrange: (world) => {
      world.functions.rows = (request) => {
        const answer = world.rowsAnswered(request) as JsonObject;
        return request.action === 'report' ? { ...answer, complete: request.continues !== undefined } : answer;
      };
    },
  },
  { when: 'a request has an unknown key', ends: 'RequestRefused', input: { table: 'a.b' } },
  { when: 'a request has two moments', ends: 'RequestRefused', input: { ...TIME, ...SNAPSHOT } },
  { when: 'a time has another form', ends: 'RequestRefused', input: { restoreTime: 'yesterday' } },
  { when: 'a snapshot is of another account', ends: 'RequestRefused', input: { snapshotArn: 'arn' } },
  { when: 'tables are missing', ends: 'RequestRefused', input: { tables: [] } },
  { when: 'tables are no list', ends: 'RequestRefused', input: { tables: 'billing.subscriptions' } },
  {
    when: 'what exists cannot be seen',
    ends: 'RequestRefused',
    input: { tables: [] },
    failAt: (state) => (state === 'Look at one instance' ? 'Refused' : undefined),
  },
  { when: 'a table cannot be compared', ends: 'no_primary_key', arrange: without('check', 'no_primary_key') },
  { when: 'the instance in use is deleted', ends: 'SUCCEEDED', arrange: deleted(true) },
  { when: 'the instance in use is deleted, to a time', ends: 'SUCCEEDED', arrange: deleted(true), input: TIME },
  { when: 'it is deleted without backups', ends: 'NothingToRestoreFrom', arrange: deleted(false) },
  {
    when: 'RDS knows no backups of it',
    ends: 'NothingToRestoreFrom',
    arrange: deleted(false),
    failAt: (state) => (/backups/.test(state) ? 'Rds.DbInstanceAutomatedBackupNotFoundException' : undefined),
  },
  { when: 'the answer of a restore is lost', ends: 'SUCCEEDED', arrange: lost },
  { when: 'the answer of a restore to a time is lost', ends: 'SUCCEEDED', arrange: lost, input: TIME },
  { when: 'the answer of a restore of a point is lost', ends: 'SUCCEEDED', arrange: lost, input: SNAPSHOT },
  ...[{}, TIME].map((input): Path => ({
    when: `the answer of a restore of a deleted one is lost, ${JSON.stringify(input)}`,
    ends: 'SUCCEEDED',
    input,
    arrange: (world) => {
      deleted(true)(world);
      lost(world);
    },
  })),
  ...WAITS.flatMap((wait): Path[] => [
    { when: `RDS gives up at "${wait}"`, ends: 'InstanceUnusable', meanwhile: { [wait]: becomes('failed') } },
    { when: `RDS does not finish at "${wait}"`, ends: 'InstanceLate', meanwhile: { [wait]: becomes('modifying') } },
    { when: `it is deleted at "${wait}"`, ends: 'InstanceLate', meanwhile: { [wait]: goes } },
  ]),
  { when: 'the report is refused', ends: 'SUCCEEDED', arrange: without('report', 'schema_differs') },
  { when: 'rows are merged by the answer', ends: 'SUCCEEDED', answers: [merge('DATABASE'), DONE] },
  {
    when: 'the merge takes several calls',
    ends: 'SUCCEEDED',
    arrange: (world) => {
      world.functions.rows = (request) => {
        const answer = world.rowsAnswered(request) as JsonObject;
        return request.action === 'merge' ? { ...answer, next: request.offset === 0 ? 3 : null } : answer;
      };
    },
    answers: [merge('DATABASE'), DONE],
  },
  { when: 'a merge is confirmed by another name', ends: 'SUCCEEDED', answers: [merge('other'), DONE] },
  { when: 'an answer is none', ends: 'SUCCEEDED', answers: [after(1, 'done'), DONE] },
  {
    when: 'a merge is refused',
    ends: 'SUCCEEDED',
    arrange: without('merge', 'changed_since_report'),
    answers: [merge('DATABASE'), DONE],
  },
  { when: 'nobody answers', ends: 'SUCCEEDED', answers: ['never'] },
  { when: 'it is declined', ends: 'SUCCEEDED', answers: [{ afterMs: MINUTE, error: 'RowsDeclined' }] },
  { when: 'the instance is gone before its removal', ends: 'SUCCEEDED', meanwhile: { [ASK]: goes } },
  {
    when: 'RDS changes the instance before its removal',
    ends: 'SUCCEEDED',
    meanwhile: {
      'Remove the temporary instance': (world) =>
        world.rds.find(world.recovered).plan([0, 'creating'], [600, 'available']),
    },
  },
  {
    when: 'RDS does not remove the instance',
    ends: 'InstanceRemains',
    meanwhile: { 'Wait until it is removed': becomes('deleting') },
  },
];

const taken: Readonly<Record<DatabaseName, Set<string>>> = { billing: new Set(), main: new Set() };

function answersOf({ answers = [DONE] }: Path, database: DatabaseName): TokenAnswer[] {
  return JSON.parse(JSON.stringify(answers).replaceAll('DATABASE', database)) as TokenAnswer[];
}

async function follow(database: DatabaseName, path: Path): Promise<{ world: RecoveryWorld; execution: Execution }> {
  const world = RecoveryWorld.inUse(database);
  path.arrange?.(world);
  world.answers = answersOf(path, database);
  const execution = await world.run(
    definitions[database],
    { tables: [`${database}.things`], ...path.input },
    {
      failAt: path.failAt,
      abortAt: (state, visit) => {
        if (visit === 1) path.meanwhile?.[state]?.(world);
        return false;
      },
    },
  );
  for (const way of execution.left) taken[database].add(way);
  return { world, execution };
}

/** Whether any instance but that in use is left, once RDS has had its minutes. */
function leftovers({ rds, id, clock }: RecoveryWorld): string[] {
  clock.advance(10 * MINUTE);
  return rds.identifiers.filter((identifier) => identifier !== id);
}

/** States whose refusal does not end the workflow. */
const DISPENSABLE = /^(Report the rows|Merge the chosen rows|Report that nobody answered|Delete what was made)$/;

describe.each(DATABASE_NAMES)('a comparison of rows of %s with those of a moment', (database) => {
  test.each(PATHS.map((path) => [path.when, path.ends, path] as const))('when %s ends as %s', async (_, ends, path) => {
    const { world, execution } = await follow(database, path);
    expect(execution.error ?? execution.status).toBe(ends);
    if (execution.status === 'FAILED') {
      expect(execution.cause).toMatch(/Exists now: .+ Safe: .+ To go on: .+#row-recovery-failed$/);
      expect(execution.cause).not.toMatch(/["\n]/);
    }
    expect(ends === 'InstanceRemains' ? [] : leftovers(world)).toEqual([]);
  });

  const { States: states } = definitions[database];
  const calls = Object.entries(states).flatMap(([name, { Catch }]) => (Catch ? [name] : []));
  test.each(calls)('goes on, or explains itself and leaves nothing, when "%s" is refused for good', async (name) => {
    const failAt = (state: string) => (state === name ? 'Aws.Refused' : undefined);
    for (const path of PATHS) {
      const { execution, world } = await follow(database, { ...path, failAt });
      if (!execution.left.includes(`${name}: States.ALL`)) continue;
      const outcome = execution.error ?? execution.status;
      expect(outcome).toBe(DISPENSABLE.test(name) ? path.ends : 'Aws.Refused');
      if (name === 'Delete what was made')
        expect(execution.cause).toContain('if it exists, it costs until its expiry deletes it');
      else expect(leftovers(world)).toEqual([]);
      return;
    }
    throw new Error('No path leads there');
  });

  test('has no way that was not taken', () => {
    const ways = waysOut(definitions[database]).filter((way) => !way.endsWith(': States.DataLimitExceeded'));
    expect(ways.filter((way) => !taken[database].has(way))).toEqual([]);
  });

  test.each(Object.keys(states))('that is stopped at "%s" leaves nothing once its expiry is over', async (stopAt) => {
    for (const path of PATHS) {
      const world = RecoveryWorld.inUse(database);
      path.arrange?.(world);
      world.answers = answersOf(path, database);
      let isReached = false;
      await world.run(
        definitions[database],
        { tables: ['a.b'], ...path.input },
        {
          failAt: path.failAt,
          abortAt: (state, visit) => {
            if (visit === 1) path.meanwhile?.[state]?.(world);
            isReached ||= state === stopAt;
            return state === stopAt;
          },
        },
      );
      if (!isReached) continue;
      const [{ Input } = { Input: null }] = world.reminders;
      if (Input !== null) await world.run(expiries[database], Input);
      const late = path.ends === 'InstanceRemains';
      expect(late ? [] : leftovers(world)).toEqual([]);
      return;
    }
    throw new Error('No path leads there');
  });
});

test('an instance that nobody answers about is removed after a day, and the report is named', async () => {
  const { world, execution } = await follow('billing', { when: '', ends: '', answers: ['never'] });
  expect(execution.output).toMatchObject({ answered: false, reportId: '20261121T123000Z-00000001' });
  const removal = world.rds.calls.find(({ action }) => action === 'deleteDBInstance');
  expect(removal?.atMs).toBe(execution.startedAtMs + DAY);
  expect(world.events.at(-1)).toEqual({
    type: RECOVERY_EVENTS.rowsUnanswered,
    detail: {
      environment: 'production',
      database: 'billing',
      instance: world.recovered,
      reportId: '20261121T123000Z-00000001',
    },
  });
  // Its expiry reminded of it four hours after the start, and finds nothing to remove.
  const [{ Input } = { Input: null }] = world.reminders;
  expect(Input).toMatchObject({
    instance: world.recovered,
    remindAt: new Date(execution.startedAtMs + 4 * HOUR).toISOString(),
    removeAt: new Date(execution.startedAtMs + 25 * HOUR).toISOString(),
  });
});

test('what a merge did, and why one was refused, is in the next question', async () => {
  const notesOf = ({ events }: RecoveryWorld) => events.map(({ detail }) => detail.note);
  const merged = await follow('main', { when: '', ends: '', answers: [merge('main'), DONE] });
  expect(notesOf(merged.world)).toEqual(['', 'Merged: 3 inserted, 0 set back, 0 skipped.']);
  const refused = await follow('main', {
    when: '',
    ends: '',
    arrange: without('merge', 'changed_since_report'),
    answers: [merge('main'), DONE],
  });
  expect(notesOf(refused.world)[1]).toBe(
    `Nothing was merged: changed_since_report, {'errorMessage':'why \\'it\\' failed'}.`,
  );
});
