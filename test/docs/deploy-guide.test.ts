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

test('the event of the deployment guide matches one rule, which sends it to both topics', () => {
  const [[entries = '[]'] = []] = found(/aws events put-events --entries '([^']+)'/g);
  const [event] = JSON.parse(entries) as { Source: string; DetailType: string }[];
  const rules = Object.values(resourcesOf(templates.monitoring, 'AWS::Events::Rule')).filter(({ Properties }) => {
    const { source = [], 'detail-type': types } = Properties.EventPattern as Record<string, string[] | undefined>;
    return event !== undefined && source.includes(event.Source) && (types?.includes(event.DetailType) ?? true);
  });
  expect(rules.map(({ Properties }) => (Properties.Targets as unknown[]).length)).toEqual([2]);
});

test('the deployment guide makes the tables before the endpoint gets its secrets, and that before Stripe is tried', () => {
  const steps = ['ops migrate apply billing', 'ops secrets put-stripe signing-secret', 'stripe trigger'];
  const places = steps.map((step) => deploy.indexOf(step));
  expect(places).not.toContain(-1);
  expect(places).toEqual(places.toSorted((one, other) => one - other));
});

test('every change of an instance in the guides is applied at once, not in the maintenance window', () => {
  const runbook = readFileSync(path.resolve(__dirname, '../../docs/runbook.md'), 'utf8');
  const changes = [guide, runbook].flatMap((text) =>
    [...text.replaceAll('\\\n', ' ').matchAll(/aws rds modify-db-instance(?! *`)[^`\n]*/g)].map(([line]) => line),
  );
  expect(changes.length).toBeGreaterThan(4);
  expect(changes.filter((line) => !line.includes('--apply-immediately'))).toEqual([]);
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
  const patterns = [...source.matchAll(/(?:(?:judged|good|wrong|attempt)\(\s*|const check = )[`'"]([^`'"\n]+)/g)].map(
    ([, name = '']) => name.replaceAll(/\$\{\w+\}/g, String.raw`[\w-]+`),
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
