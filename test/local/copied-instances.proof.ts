import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseName } from '../../core/contract';
import { waitUntil } from '../../local/pass/check';
import { ARCHIVE_WORKFLOWS } from '../../local/platform/archive-workflows';
import { CopiedInstances } from '../../local/platform/copied-instances';
import { stateMachines } from '../../local/platform/workflows';
import { type Cluster, startCluster } from '../../local/postgres/cluster';
import { asSuperuser, type LocalDatabaseServer } from '../../local/postgres/databases';
import type { Json } from '../../local/states/definition';
import { Executions, type StateMachine } from '../../local/states/executions';
import { textOf } from '../../local/states/text';
import type { PlatformTemplate } from '../../local/template/platform-template';

const DEFINITION = {
  QueryLanguage: 'JSONata',
  StartAt: 'Copy',
  States: {
    Copy: { Type: 'Task', Resource: 'copy', Arguments: '{% $states.input %}', End: true },
  },
};

let directory: string;
let cluster: Cluster;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'copied-instances-'));
  chmodSync(directory, 0o755);
  cluster = await startCluster({ directory: join(directory, 'billing'), durable: false, tls: true });
});
afterAll(async () => {
  await cluster.stop();
  rmSync(directory, { recursive: true, force: true });
});

test('what makes or ends a copy waits for what was asked for before', async () => {
  const servers = { billing: { cluster } } as Record<DatabaseName, LocalDatabaseServer>;
  const instances = new CopiedInstances(servers, directory);
  await Promise.all([
    instances.take('billing', 'one'),
    instances.remove('billing', 'one'),
    instances.take('billing', 'two'),
  ]);
  expect([instances.restore('one', 'copy-one'), instances.restore('two', 'copy-two')]).toEqual([false, true]);
  const host = instances.hostOf('copy-two') ?? '';
  const { rows } = await asSuperuser({ ...cluster, host }, 'postgres', (client) => client.query('SELECT 1 AS answers'));
  expect(rows).toEqual([{ answers: 1 }]);
  await Promise.all([instances.remove('billing'), instances.remove('billing', 'two')]);
  expect(readdirSync(directory)).not.toContain('billing-copy');
});

test('an execution that was stopped removes its own copy when its task ends, not that of the next execution', async () => {
  writeFileSync(join(directory, ARCHIVE_WORKFLOWS), JSON.stringify({ billing: DEFINITION, main: DEFINITION }));
  const servers = { billing: { cluster } } as Record<DatabaseName, LocalDatabaseServer>;
  const instances = new CopiedInstances(servers, directory);
  const template = { stateMachines: [], region: 'eu-central-1', account: '1' } as unknown as PlatformTemplate;
  const [machine] = stateMachines(template, directory, instances) as [StateMachine];
  const tasks: { readonly snapshotArn: Json | undefined; readonly end: (output: Json) => void }[] = [];
  const ended: string[] = [];
  const executions = new Executions({
    services: {
      copy: ({ snapshotArn }) => new Promise<Json>((resolve) => tasks.push({ snapshotArn, end: resolve })),
    },
    observe: ({ name }) => ended.push(name),
  });
  const wait = (isReached: () => boolean) =>
    waitUntil(async () => (isReached() ? undefined : `${tasks.length} tasks, ended: ${ended.join()}`), 30_000);

  const { arn } = executions.start(machine, 'a', '{}');
  await wait(() => tasks.length === 1);
  executions.stop(arn);
  executions.start(machine, 'b', '{}');
  await wait(() => tasks.length === 2);
  tasks[0]?.end({});
  await wait(() => ended.includes('a'));

  expect(instances.restore(textOf(tasks[1]?.snapshotArn), 'copy-b')).toBe(true);
  const host = instances.hostOf('copy-b') ?? '';
  const { rows } = await asSuperuser({ ...cluster, host }, 'postgres', (client) => client.query('SELECT 1 AS answers'));
  expect(rows).toEqual([{ answers: 1 }]);
  tasks[1]?.end({});
  await wait(() => ended.includes('b'));
  expect(instances.hostOf('copy-b')).toBeUndefined();
});
