import { ListExecutionsCommand, SFNClient } from '@aws-sdk/client-sfn';
import { mockClient } from 'aws-sdk-client-mock';
import { backupAgeSeconds } from '../../../lambdas/collector/backup-age';
import { silentLog } from '../../support/log';

const HOUR = 3600;
const STATE_MACHINE = 'arn:aws:states:eu-central-1:111122223333:stateMachine:archive-main';
/** Hours after a first moment. */
const at = (hours: number) => new Date(Date.UTC(2026, 10, 21, 2) + hours * HOUR * 1000);

const sfn = mockClient(SFNClient);
beforeEach(() => sfn.reset());

interface Execution {
  readonly name: string;
  readonly status: 'RUNNING' | 'SUCCEEDED' | 'FAILED';
  readonly startDate: Date;
  readonly stopDate?: Date;
}
const SECOND_DAY = '20261122T020000Z';
/** One that began with the slot of its name, and took 30 hours. */
const SLOW: Execution = { name: '20261121T020000Z', status: 'SUCCEEDED', startDate: at(0), stopDate: at(30) };
const running = (since: number): Execution => ({ name: SECOND_DAY, status: 'RUNNING', startDate: at(since) });

/** The age, with the archive of the first moment as the newest one. */
async function hoursOld(now: number, executions: readonly Execution[]): Promise<number> {
  sfn.on(ListExecutionsCommand).resolves({ executions: executions as never });
  const workflow = { sfn: new SFNClient({}), stateMachineArn: STATE_MACHINE };
  return (await backupAgeSeconds(at(0), workflow, { now: at(now), log: silentLog })) / HOUR;
}

test('an archive that no workflow made is as old as its slot', async () => {
  expect(await hoursOld(25, [])).toBe(25);
  expect(await backupAgeSeconds(at(0), undefined, { now: at(25), log: silentLog })).toBe(25 * HOUR);
});

test('an archive that a workflow made is as old as its publication', async () => {
  expect(await hoursOld(48, [SLOW])).toBe(18);
});

test('the age stands still while the next archive is under way', async () => {
  expect(await hoursOld(48, [running(48), SLOW])).toBe(18);
  expect(await hoursOld(90, [running(48), SLOW])).toBe(18);
});

test('the age grows as before when the workflow failed, or was stopped', async () => {
  const failed: Execution = { name: SECOND_DAY, status: 'FAILED', startDate: at(48), stopDate: at(50) };
  expect(await hoursOld(90, [failed, SLOW])).toBe(60);
});

test('an age is never negative: the newest archive may be one by hand, made since the workflow began', async () => {
  expect(await hoursOld(2, [running(-10)])).toBe(0);
});

test('the age counts from the slot, with a warning, when Step Functions does not answer', async () => {
  sfn.on(ListExecutionsCommand).rejects(new Error('no route'));
  const workflow = { sfn: new SFNClient({}), stateMachineArn: STATE_MACHINE };
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (message: string) => void warnings.push(message) };
  expect(await backupAgeSeconds(at(0), workflow, { now: at(25), log })).toBe(25 * HOUR);
  expect(warnings).toEqual([expect.stringContaining('Step Functions did not list the archives under way')]);
});
