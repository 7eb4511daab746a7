import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Client } from 'pg';
import { PassThrough } from 'node:stream';
import { parseLine, type ParsedLine } from '../../ops/program';
import { RUNBOOK_LINES, opsLinesIn, wordsOf } from '../ops/runbook-lines';
import { restrictTo } from '../support/access';
import { createTestDatabase, type TestDatabase } from '../support/database';

const RUNBOOK = readFileSync(path.join(__dirname, '../../docs/runbook.md'), 'utf8');

function parse(line: string): Promise<ParsedLine> {
  const silent = new PassThrough() as unknown as NodeJS.WriteStream;
  return parseLine(wordsOf(line).slice(1), { stdout: silent, stderr: silent });
}

test.each(RUNBOOK_LINES)('the command line understands "%s"', async (line) => {
  await expect(parse(line)).resolves.toBeDefined();
});

test('the runbook names commands throughout', () => {
  expect(RUNBOOK_LINES.length).toBeGreaterThan(35);
});

test('a resolution in the runbook that names a changing command names it for real, not only as a dry run', async () => {
  const resolutions = [...RUNBOOK.matchAll(/^\*\*Resolve\.\*\*(?:.+\n|\n(?!\*\*Verify))+/gm)].map(([text]) =>
    opsLinesIn(text),
  );
  const onlyDry: string[] = [];
  for (const lines of resolutions) {
    const parsed = await Promise.all(lines.map(parse));
    const changing = parsed.filter(({ command }) => command.effect === 'changes');
    const real = changing.filter(({ values }) => values.dryRun !== true).map(({ command }) => command.name);
    onlyDry.push(...changing.map(({ command }) => command.name).filter((name) => !real.includes(name)));
  }
  expect(resolutions.flat().length).toBeGreaterThan(20);
  expect(onlyDry).toEqual([]);
});

test('each function whose log or failed requests the runbook reads is there to be read', async () => {
  const parsed = await Promise.all(RUNBOOK_LINES.map(parse));
  const named = parsed.flatMap(({ command, values }) =>
    ['logs', 'failures list', 'failures clear'].includes(command.name) ? [String(values.function)] : [],
  );
  expect(named.length).toBeGreaterThan(10);
  for (const stem of named) {
    expect(() => readFileSync(path.join(__dirname, '../../lambdas', stem, 'handler.ts'))).not.toThrow();
  }
});

/** What people report without an alarm. */
const SCENARIOS = [
  'Cannot connect',
  'Webhooks slow',
  'Entitlements not updating',
  'High load',
  'Crash after deploy',
  'Payment failure',
  'Payout failure',
  'Data loss',
  'Schema changed by hand',
  'Disk full',
  'Secret leaked',
  'Region lost',
];

test('each scenario says what it means, how to investigate, resolve and verify, and its links lead somewhere', () => {
  const page = readFileSync(path.join(__dirname, '../../docs/scenarios.md'), 'utf8');
  const [, ...sections] = page.split(/^## /m);
  expect(sections.map((section) => section.split('\n')[0])).toEqual(SCENARIOS);
  for (const section of sections) {
    const steps = [...section.matchAll(/^\*\*(\w+)\.\*\*/gm)].map(([, step]) => step);
    expect([section.split('\n')[0], ...steps]).toEqual([
      section.split('\n')[0],
      'Meaning',
      'Investigate',
      'Resolve',
      'Verify',
    ]);
    expect(opsLinesIn(section).length).toBeGreaterThan(1);
  }
  const headings = [...RUNBOOK.matchAll(/^## (.+)$/gm)].map(([, title = '']) =>
    title.toLowerCase().replaceAll(' ', '-'),
  );
  for (const [, anchor] of page.matchAll(/runbook\.md#([\w-]+)/g)) expect(headings).toContain(anchor);
});

test('every block of commands is well-formed', () => {
  const blocks = [...RUNBOOK.matchAll(/```bash\n([^`]+)```/g)].map(([, block = '']) => block);
  expect(blocks.length).toBeGreaterThan(5);
  const { status, stderr } = spawnSync('bash', ['-n'], { input: blocks.join('\n'), encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
});

test('links within the runbook lead to a heading', () => {
  const anchors = [...RUNBOOK.matchAll(/^## (.+)$/gm)].map(([, title = '']) =>
    title.toLowerCase().replaceAll(' ', '-'),
  );
  for (const [, anchor] of RUNBOOK.matchAll(/\]\(#([\w-]+)\)/g)) expect(anchors).toContain(anchor);
});

describe('statements', () => {
  let database: TestDatabase;
  let reader: Client;
  beforeAll(async () => {
    database = await createTestDatabase('billing');
    reader = await database.client();
    await restrictTo('billing_readonly', reader);
  });
  afterAll(() => database.drop());

  const statements = [...RUNBOOK.matchAll(/```sql\n([^`]+)```/g)].map(([, sql = '']) => sql.trim());

  test.each(statements)('a person with `access: readonly` may run %s', async (sql) => {
    // Planned, not run: one of them ends sessions.
    await expect(reader.query(`EXPLAIN ${sql}`)).resolves.toBeDefined();
  });
});
