import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { Client } from 'pg';
import { operationsPage } from './operations';
import { SESSION, type SessionStep } from './ops-session';
import { writeFormatted } from '../support/write-formatted';

// Records docs/ops-session.md and the seconds of docs/operations.md: starts the platform as `npm start` does and types every command of the list.
const ROOT = path.resolve(__dirname, '../..');
const PAGE = path.join(ROOT, 'docs/ops-session.md');
const READY = 'Ctrl-C stops it';

interface Recorded {
  readonly seconds: number;
  readonly status: number | null;
  readonly output: string;
}

async function main(): Promise<void> {
  const program = spawn(process.execPath, ['bin/local.mjs', '--second-server'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const billing = new Client({ connectionString: urlIn(await untilReady(program)) });
    // A cut-over ends sessions.
    billing.on('error', () => undefined);
    await billing.connect();
    const recorded: [SessionStep, Recorded | undefined][] = [];
    const captured = new Map<string, string>();
    for (const step of SESSION) {
      if (step.sql !== undefined) await billing.query(step.sql);
      recorded.push([step, step.line === undefined ? undefined : type(step, captured)]);
    }
    await billing.end();
    await writeFormatted(PAGE, pageOf(recorded));
    const seconds = new Map(recorded.map(([{ line = '' }, result]) => [line, result?.seconds ?? 0]));
    await writeFormatted(path.join(ROOT, 'docs/operations.md'), operationsPage(seconds));
  } finally {
    program.kill('SIGINT');
    if (program.exitCode === null) await once(program, 'exit');
  }
}

/** What the platform printed until it was ready. */
function untilReady(program: ChildProcess): Promise<string> {
  let printed = '';
  return new Promise((resolve, reject) => {
    program.stdout?.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      if (printed.includes(READY)) resolve(printed);
    });
    program.once('exit', () => reject(new Error(`The platform ended:\n${printed}`)));
  });
}

function urlIn(printed: string): string {
  const url = /psql '(postgresql:\/\/\S+\/billing\?\S+)'/.exec(stripVTControlCharacters(printed))?.[1];
  if (url === undefined) throw new Error('The platform printed no URL of the billing database');
  return url;
}

function type({ line = '', capture, piped, inOwnCheckout }: SessionStep, captured: Map<string, string>): Recorded {
  const filled = line.replaceAll(/\{(\w+)\}/g, (_, name: string) => captured.get(name) ?? `{${name}}`);
  const argv = [...filled.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
  const checkout = inOwnCheckout === true ? mkdtempSync(path.join(tmpdir(), 'ops-session-')) : undefined;
  if (checkout !== undefined)
    cpSync(path.join(ROOT, 'migrations'), path.join(checkout, 'migrations'), { recursive: true });
  const started = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(ROOT, 'bin/ops.mjs'), ...argv], {
    cwd: checkout ?? ROOT,
    encoding: 'utf8',
    env: { ...process.env, OPS_ENV: 'local' },
    input: piped ?? '',
  });
  if (checkout !== undefined) rmSync(checkout, { recursive: true });
  // The platform of the record is gone; scanners for secrets do not know that.
  const output = `${stderr}${stdout}`.trimEnd().replaceAll(/(bok_\w{12})_[\w-]{43}/g, '$1_…');
  if (capture !== undefined) captured.set(capture.name, capture.pattern.exec(output)?.[1] ?? '');
  return { seconds: (performance.now() - started) / 1000, status, output: `$ ops ${filled}\n${output}` };
}

function pageOf(recorded: readonly (readonly [SessionStep, Recorded | undefined])[]): string {
  const session = recorded.map(([{ says, sql }, result]) => {
    const typed = result ? `${result.output}\n# exit ${result.status}, ${result.seconds.toFixed(1)} s` : '';
    return `${says}\n\n\`\`\`text\n${[sql === undefined ? '' : `billing=> ${sql}`, typed].filter(Boolean).join('\n')}\n\`\`\``;
  });
  return `# A session with ops

Recorded against the platform that \`npm start\` runs; \`npx tsx test/docs/record-ops-session.ts\` records it again. On AWS the same
commands take the time of the databases there. What the local platform does not have – alarms, recoveries of instances – is
tested with AWS's exact calls in \`test/ops/aws-only.test.ts\`.

## Session

${session.join('\n\n')}
`;
}

void main();
