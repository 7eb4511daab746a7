import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Readable } from 'node:stream';
import * as z from 'zod';
import type { Tell } from '../runtime/console';
import { startHttpServer } from '../runtime/http-server';
import type { Teardown } from '../runtime/teardown';
import { scenarioNamed } from './scenarios';
import type { Scenario } from './scenario';

/** Runs a scenario on the platform. @returns the titles of the steps that failed */
export type RunScenario = (scenario: Scenario, say: Tell) => Promise<string[]>;

const FILE = 'scenarios.json';
const fileForm = z.strictObject({ url: z.url(), token: z.string() });
const messageForm = z.union([z.strictObject({ line: z.string() }), z.strictObject({ failed: z.array(z.string()) })]);
type Message = z.infer<typeof messageForm>;

const REFUSED = 403;
const BUSY = 409;

/**
 * Lets another process have scenarios run on this platform: those with the file in its folder, which the owner alone reads.
 * One runs at a time.
 */
export async function serveScenarios(directory: string, run: RunScenario, teardown: Teardown): Promise<void> {
  const token = randomBytes(18).toString('base64url');
  let busy = false;
  const server = await startHttpServer(async (request, response) => {
    // Demanded of every request: no page in a browser can send it to this machine unasked.
    const isAllowed = request.headers.authorization === `Bearer ${token}`;
    if (!isAllowed || busy) {
      response.writeHead(isAllowed ? BUSY : REFUSED);
      response.end(isAllowed ? 'Another scenario runs: wait for its end' : 'Not allowed');
      return;
    }
    busy = true;
    const send = (message: Message): void => void response.write(`${JSON.stringify(message)}\n`);
    try {
      const scenario = scenarioNamed(request.url?.slice(1) ?? '');
      send({ failed: await run(scenario, (line) => send({ line })) });
    } catch (error) {
      send({ failed: [(error as Error).message] });
    } finally {
      busy = false;
      response.end();
    }
  });
  teardown.add(() => server.stop());
  const file = join(directory, FILE);
  writeFileSync(file, JSON.stringify({ url: server.url, token }), { mode: 0o600 });
  teardown.add(() => rmSync(file, { force: true }));
}

/**
 * Has the platform that runs in a folder run a scenario.
 *
 * @returns the titles of the steps that failed; undefined when no platform is up in the folder
 * @throws when another scenario runs there, or the platform ended meanwhile
 */
export async function runOnRunning(directory: string, name: string, say: Tell): Promise<string[] | undefined> {
  const response = await ask(directory, name);
  if (response === undefined) return undefined;
  if (!response.ok || response.body === null) throw new Error(`${await response.text()}.`);
  const lines = createInterface({ input: Readable.fromWeb(response.body) });
  for await (const text of lines) {
    const message = messageForm.parse(JSON.parse(text));
    if ('failed' in message) return message.failed;
    say(message.line);
  }
  throw new Error('The platform ended before the scenario did.');
}

async function ask(directory: string, name: string): Promise<Response | undefined> {
  try {
    const { url, token } = fileForm.parse(JSON.parse(readFileSync(join(directory, FILE), 'utf8')));
    return await fetch(`${url}/${name}`, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
  } catch (error) {
    const { code, cause } = error as NodeJS.ErrnoException;
    const reason = code ?? (cause as NodeJS.ErrnoException | undefined)?.code;
    // Left by one that was killed, or never written.
    if (reason === 'ENOENT' || reason === 'ECONNREFUSED') return undefined;
    throw error;
  }
}
