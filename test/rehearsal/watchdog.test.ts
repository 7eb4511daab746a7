import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { waitUntil } from '../../local/pass/check';
import { identify, isRunning } from '../../local/runtime/processes';

/** A rehearsal that has started something which would outlive it. */
const REHEARSAL = `
const { spawn } = require('node:child_process');
const { startWatchdog } = require(${JSON.stringify(path.join(__dirname, 'watchdog.ts'))});
const watchdog = startWatchdog(process.argv[1]);
const { pid } = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
watchdog.watch(pid);
process.stdout.write(String(pid));
setInterval(() => undefined, 1000);
`;

test('the processes of a killed rehearsal end, and its folder is removed', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'billing-operations-watchdog-'));
  writeFileSync(path.join(directory, 'left.txt'), 'left');
  const rehearsal = spawn(process.execPath, ['--import', 'tsx', '-e', REHEARSAL, directory], {
    cwd: path.join(__dirname, '../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const started = await once(rehearsal.stdout, 'data')
    .then(([printed]: Buffer[]) => identify(Number(String(printed))))
    .finally(() => rehearsal.kill('SIGKILL'));
  if (started === undefined) throw new Error('nothing was started');

  await waitUntil(async () => (isRunning(started) ? 'the process still runs' : undefined), 10_000);
  await waitUntil(async () => (existsSync(directory) ? 'the folder is still there' : undefined), 10_000);
  expect(existsSync(directory)).toBe(false);
});
