import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { SCENARIOS } from '../../local/scenarios/scenarios';

/**
 * `npm start`, and each scenario on the platform that it has up, as a person types them. Skipped while somebody's own platform
 * is up in this checkout.
 */
jest.setTimeout(300_000);
const ROOT = path.resolve(__dirname, '../..');
const inUse = existsSync(path.join(ROOT, '.local/scenarios.json'));

let platform: ChildProcess;
let printed = '';

interface Outcome {
  readonly status: number;
  readonly output: string;
}

function start(...argv: string[]): {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Outcome>;
} {
  const child = spawn(process.execPath, ['bin/local.mjs', ...argv], { cwd: ROOT, env: { ...process.env, PORT: '' } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return { child, ended: once(child, 'exit').then(([status]) => ({ status: Number(status), output })) };
}
const npmStart = (...argv: string[]) => start(...argv).ended;

const READY = 'Ctrl-C stops it';

/** Starts a platform, and waits until it is up and its pass is over. */
async function startAndWait(...argv: string[]): Promise<ChildProcess> {
  printed = '';
  const { child, ended } = start(...argv);
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      if (printed.includes(READY)) resolve();
    });
    void ended.then(({ output }) => reject(new Error(output)));
  });
  return child;
}

async function stop(child: ChildProcess): Promise<number | null> {
  child.kill('SIGINT');
  if (child.exitCode === null) await once(child, 'exit');
  return child.exitCode;
}

(inUse ? describe.skip : describe)('a platform that is up', () => {
  beforeAll(async () => {
    platform = await startAndWait();
  });
  afterAll(() => stop(platform));

  test('lists its scenarios, and names them where another is wanted', async () => {
    const { status, output } = await npmStart('--scenario', 'list');
    expect([
      status,
      output
        .trim()
        .split('\n')
        .map((line) => line.split(' ')[0]),
    ]).toEqual([0, SCENARIOS.map(({ name }) => name)]);
    expect(await npmStart('--scenario', 'flod')).toEqual({
      status: 2,
      output: expect.stringMatching(
        /^There is no scenario "flod": expected pass, outage, kill, flood, poison, restore\n/,
      ),
    });
  });

  test.each(SCENARIOS.map(({ name }) => name))('passes the scenario %s', async (name) => {
    const { status, output } = await npmStart('--scenario', name);
    expect([status, output]).toEqual([0, expect.stringContaining('All steps passed')]);
    expect(output).not.toMatch(/FAILED|SKIPPED/);
  });

  test('passes the pass once more after all of them', async () => {
    expect(await npmStart('--scenario', 'pass')).toMatchObject({ status: 0 });
  });

  test('runs one scenario at a time', async () => {
    const { child, ended: first } = start('--scenario', 'outage');
    await once(child.stdout, 'data');
    const second = await npmStart('--scenario', 'flood');
    expect(second).toEqual({ status: 1, output: expect.stringContaining('Another scenario runs') });
    expect((await first).status).toBe(0);
  });

  test('prints a line for each event and batch', () => {
    expect(printed.split(READY)[1]).toMatch(
      /webhook +200 evt_\w+ customer\.subscription\.created +\d+ m?s[^]*processor +\d+ events? processed/,
    );
  });
});

(inUse ? describe.skip : describe)('a platform that is up with --quiet', () => {
  test('prints what fails, and not each event; Ctrl-C is its ordinary end', async () => {
    const quiet = await startAndWait('--quiet', '--scenario', 'flood');
    try {
      expect((await npmStart('--scenario', 'poison')).status).toBe(0);
    } finally {
      expect(await stop(quiet)).toBe(0);
    }
    const lines = printed.split(READY)[1];
    expect(lines).toMatch(/processor +1 of \d+ events? failed: evt_\w+ customer\.subscription\.created/);
    expect(lines).not.toMatch(/200 evt_| processed {2}/);
  });
});
