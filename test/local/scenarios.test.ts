import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runOnRunning, serveScenarios, type RunScenario } from '../../local/scenarios/remote';
import { startHttpServer } from '../../local/runtime/http-server';
import { Teardown } from '../../local/runtime/teardown';

/** A scenario that another process asks for. */
let folder: string;
let teardown: Teardown;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'scenarios-test-'));
  teardown = new Teardown();
});
afterEach(async () => {
  await teardown.run();
  rmSync(folder, { recursive: true });
});

async function ask(name: string): Promise<{ failed: string[] | undefined; lines: string[] }> {
  const lines: string[] = [];
  return { failed: await runOnRunning(folder, name, (line) => lines.push(line)), lines };
}

test('what a scenario prints and which steps failed reach the one who asked', async () => {
  const run: RunScenario = async ({ name }, say) => {
    say(`running ${name}`);
    return name === 'kill' ? ['Kill PostgreSQL'] : [];
  };
  await serveScenarios(folder, run, teardown);

  expect(await ask('flood')).toEqual({ failed: [], lines: ['running flood'] });
  expect(await ask('kill')).toEqual({ failed: ['Kill PostgreSQL'], lines: ['running kill'] });
  expect((await ask('none')).failed).toEqual([expect.stringContaining('There is no scenario "none"')]);
});

test('an error of a scenario is a failure, and the next one runs', async () => {
  let broken = true;
  await serveScenarios(
    folder,
    () => (broken ? Promise.reject(new Error('the disk is full')) : Promise.resolve([])),
    teardown,
  );

  expect((await ask('flood')).failed).toEqual(['the disk is full']);
  broken = false;
  expect((await ask('flood')).failed).toEqual([]);
});

test('a second scenario at the same time is refused', async () => {
  let end: () => void = () => undefined;
  const running = new Promise<string[]>((resolve) => (end = () => resolve([])));
  let begin: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const run: RunScenario = () => {
    begin();
    return running;
  };
  await serveScenarios(folder, run, teardown);
  const first = ask('flood');
  await begun;
  await expect(ask('kill')).rejects.toThrow('Another scenario runs');
  end();
  expect((await first).failed).toEqual([]);
});

test('where no platform is up, nothing runs', async () => {
  expect((await ask('flood')).failed).toBeUndefined();
  const ended = await startHttpServer(async () => undefined);
  await ended.stop();
  writeFileSync(path.join(folder, 'scenarios.json'), JSON.stringify({ url: ended.url, token: 'left' }));
  expect((await ask('flood')).failed).toBeUndefined();
});

test('a request without the token, which the owner alone can read, is refused', async () => {
  await serveScenarios(folder, () => Promise.resolve([]), teardown);
  const file = path.join(folder, 'scenarios.json');
  expect(statSync(file).mode & 0o077).toBe(0);
  const { url } = JSON.parse(readFileSync(file, 'utf8')) as { url: string };

  expect((await fetch(`${url}/flood`, { method: 'POST' })).status).toBe(403);
});
