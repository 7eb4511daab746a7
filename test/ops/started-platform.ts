import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { PLATFORM_FILE, platformFile, type PlatformFile } from '../../local/platform/contract';
import { deliver } from '../../local/stripe/delivery';
import { eventObject } from '../../local/stripe/objects';
import type { PlatformCommand, PlatformMessage } from '../support/start-platform';

/** The local platform in a process and a folder of its own, for tests of the command line. */
export interface StartedPlatform {
  readonly folder: string;
  readonly billing: Client;
  readonly billingUrl: string;
  /** Of the main database. */
  readonly mainUrl: string;
  /** Of the server that billing may be moved to; empty without one. */
  readonly secondUrl: string;
  readonly endpoints: PlatformFile['endpoints'];
  /** Secret that the endpoint verifies signatures with. */
  readonly signingSecret: string;
  /** Where Tilled delivers to, and what it signs with. */
  readonly tilled: { readonly endpoint: string; readonly signingSecret: string };
  /** Has the stand-in of a provider take these API keys from now on, and no other. */
  acceptKeys(provider: 'stripe' | 'tilled', ...keys: readonly string[]): void;
  /** Sends a signed event; resolves to its id once it was answered 200. */
  send(type: string, object: object): Promise<string>;
  /** Begins to process events: once the databases are migrated. */
  startConsumers(): void;
  stop(): Promise<void>;
}

/**
 * Starts the platform; its databases are empty, and it processes no events yet.
 *
 * @param flags `second-server` for a server that billing may be moved to
 */
export async function startedPlatform(...flags: readonly 'second-server'[]): Promise<StartedPlatform> {
  const folder = mkdtempSync(path.join(tmpdir(), 'billing-operations-ops-'));
  // PostgreSQL runs as another user where the tests are root.
  chmodSync(folder, 0o755);
  const program = fork(path.join(__dirname, '../support/start-platform.ts'), [folder, ...flags], {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined },
  });
  const up = await whenUp(program);
  const billing = new Client({ connectionString: up.billingUrl });
  await billing.connect();
  const command = (name: PlatformCommand): void => void program.send(name);
  return {
    folder,
    billing,
    billingUrl: up.billingUrl,
    mainUrl: up.mainUrl,
    secondUrl: up.secondUrl,
    signingSecret: up.signingSecret,
    tilled: { endpoint: up.tilledEndpoint, signingSecret: up.tilledSecret },
    acceptKeys: (provider, ...keys) => command({ acceptKeys: provider, keys }),
    endpoints: platformFile.parse(JSON.parse(readFileSync(path.join(folder, PLATFORM_FILE), 'utf8'))).endpoints,
    async send(type, object) {
      const event = eventObject(type, object);
      const { status, body } = await deliver(event, { url: up.endpoint, secret: up.signingSecret });
      if (status !== 200) throw new Error(`${type} was answered ${status} ${body}`);
      return event.id;
    },
    startConsumers: () => command('start consumers'),
    async stop() {
      await billing.end();
      command('stop');
      if (program.exitCode === null) await once(program, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function whenUp(program: ChildProcess): Promise<Extract<PlatformMessage, { readonly up: object }>['up']> {
  return new Promise((resolve, reject) => {
    program.on('message', (message: PlatformMessage) => {
      if ('up' in message) resolve(message.up);
    });
    program.once('exit', () => reject(new Error('the platform did not start')));
  });
}
