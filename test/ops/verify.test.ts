import type { VerifyReport } from '../../lambdas/verify/contract';
import { runAnswered } from './run-answered';

const WARNING = 'Extension postgres_fdw is not trusted: restores leave it out';
const report: VerifyReport = {
  database: 'main',
  host: 'main.example.com',
  targetDatabase: 'app',
  sound: true,
  problems: [],
  warnings: [WARNING],
  notChecked: [],
  schemaVersion: null,
  pendingMigrations: [],
  tables: 3,
  foreignKeysChecked: 1,
  sequencesChecked: 1,
  invariantsChecked: 0,
  newestAt: null,
  ageSeconds: null,
  durationMs: 5,
};

const ops = (line: string) => runAnswered([...line.split(' '), '--env', 'dev'], report);

test('a warning is printed, and leaves a database sound', async () => {
  const { status, stdout } = await ops('verify main');
  expect(status).toBe(0);
  expect(stdout).toMatch(/^sound +yes$/m);
  expect(stdout).toContain(`\nwarning: ${WARNING}\n`);
});
