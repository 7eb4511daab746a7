/**
 * Runs format, types and lint at the same time: each waits for files as much as for a core. What fails prints its output,
 * whole and under its name, and the exit status is 1.
 */
import { spawn } from 'node:child_process';

const CHECKS = ['format:check', 'typecheck', 'lint'];

/** @returns {Promise<boolean>} whether the npm script succeeded */
function run(script) {
  const started = performance.now();
  const child = spawn('npm', ['run', '--silent', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = [];
  child.stdout.on('data', (chunk) => output.push(chunk));
  child.stderr.on('data', (chunk) => output.push(chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(`${status === 0 ? '✓' : '✗'} ${script} (${seconds} s)`);
      if (status !== 0) console.log(Buffer.concat(output).toString('utf8'));
      resolve(status === 0);
    });
  });
}

const succeeded = await Promise.all(CHECKS.map(run));
if (succeeded.includes(false)) process.exitCode = 1;
