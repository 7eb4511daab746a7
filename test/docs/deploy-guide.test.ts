import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { parseLine } from '../../ops/program';
import { opsLinesIn, wordsOf } from '../ops/runbook-lines';
import { resourcesOf, templatesOf, type Synthesised } from '../lib/support';

const guide = readFileSync(path.resolve(__dirname, '../../docs/deploy.md'), 'utf8');
const deploy = guide.slice(0, guide.indexOf('## Configuration'));
const templates = templatesOf('staging');
const found = (pattern: RegExp) => [...deploy.matchAll(pattern)].map(([, ...groups]) => groups);

function outputsOf(part: keyof Synthesised): string[] {
  const { Outputs = {} } = (templates[part]?.toJSON() ?? {}) as { Outputs?: object };
  return Object.keys(Outputs);
}

test('every output that the deployment guide reads is one that its stack prints, and only one', () => {
  const named = found(/output (Data|Operations|Monitoring) (\w+)/g);
  // In a loop over both topics.
  const topics = found(/\b(Alerts\w+Topic)\b/g).map(([topic]) => ['Monitoring', topic]);
  const all = [...named, ...topics];
  expect(all.length).toBeGreaterThanOrEqual(4);
  for (const [stack = '', name = ''] of all) {
    const matching = outputsOf(stack.toLowerCase() as keyof Synthesised).filter(
      (key) => key.startsWith(name) && key.length === name.length + 8,
    );
    expect([stack, name, matching.length]).toEqual([stack, name, 1]);
  }
});

test('the command line understands every command of the deployment guide', async () => {
  const silent = new PassThrough() as unknown as NodeJS.WriteStream;
  const lines = opsLinesIn(deploy);
  const parsed = await Promise.all(
    lines.map((line) => parseLine(wordsOf(line).slice(1), { stdout: silent, stderr: silent })),
  );
  expect(parsed.map(({ command, values }) => [command.name, values.database ?? values.secret])).toEqual(
    expect.arrayContaining([
      ['migrate apply', 'billing'],
      ['migrate apply', 'main'],
      ['secrets put-stripe', 'signing-secret'],
      ['secrets put-stripe', 'api-key'],
      ['backup', 'billing'],
      ['drill', 'billing'],
      ['reconcile', undefined],
    ]),
  );
});

test('the alarms that the deployment guide sets off exist', () => {
  const names = Object.values(resourcesOf(templates.monitoring, 'AWS::CloudWatch::Alarm')).map(
    ({ Properties }) => Properties.AlarmName,
  );
  const [[alarm] = []] = found(/"BillingOps-\$E-(\w+)-\$severity"/g);
  for (const severity of ['critical', 'warning']) expect(names).toContain(`BillingOps-staging-${alarm}-${severity}`);
});

test('the concurrency that the deployment guide asks for is what the functions reserve', () => {
  const reserved = Object.values(resourcesOf(templates.operations, 'AWS::Lambda::Function')).map(({ Properties }) =>
    Number(Properties.ReservedConcurrentExecutions ?? 0),
  );
  const total = reserved.reduce((sum, value) => sum + value, 0);
  expect(found(/reserve (\d+) of the account/g)).toEqual([[String(total)]]);
  expect(found(/# (\d+) or more/g)).toEqual([[String(total + 100)]]);
});

test('every check that the deployment guide names is one that ops doctor makes', () => {
  const folder = path.resolve(__dirname, '../../ops/doctor');
  const source = readdirSync(folder)
    .map((file) => readFileSync(path.join(folder, file), 'utf8'))
    .join('\n');
  const patterns = [...source.matchAll(/(?:judged|good|wrong|attempt)\(\s*[`'"]([^`'"\n]+)/g)].map(([, name = '']) =>
    name.replaceAll(/\$\{\w+\}/g, String.raw`[\w-]+`),
  );
  const made = new RegExp(`^(${patterns.join('|')})$`);
  const table = deploy
    .slice(deploy.indexOf('### Is it done?'))
    .split('\n')
    .filter((line) => /^\| \d/.test(line));
  expect(table.map((line) => /^\| (\d+)/.exec(line)?.[1])).toEqual(['1', '2', '4', '5', '6', '7', '9', '10']);
  const checks = table.flatMap((line) =>
    [...(line.split('|')[2] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
  );
  expect(checks.filter((name) => name !== 'cdk synth' && !made.test(name))).toEqual([]);
  expect(checks.length).toBeGreaterThan(15);
});
