import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { type Bundle, bundleFunctions } from '../../lib/operations/bundles';
import { testServices } from '../support/services';

const CORE = path.join(__dirname, '../../core');
const run = promisify(execFile);

/** The least function that captures a schema, and one that does not. */
const HANDLERS = {
  capturing: `
    import { createConnector, withConnection } from '${CORE}/database/connector';
    import { captureSchema } from '${CORE}/schema/capture';
    export async function handler({ cluster: { host, port, user, password }, database }) {
      const secrets = { read: async (_arn, schema) => schema.parse({ username: user, password }) };
      const connector = createConnector({ name: 'main', host, port, database, secretArn: 'cluster' }, secrets, 'probe');
      return withConnection(connector, async (leader) => {
        await leader.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
        const { rows } = await leader.query('SELECT pg_export_snapshot() AS id');
        const startedAt = performance.now();
        const { before, after } = await captureSchema({ connector, snapshot: rows[0].id });
        const durationMs = performance.now() - startedAt;
        return { durationMs, bytes: before.length + after.length, tables: before.match(/^CREATE TABLE /gm)?.length ?? 0 };
      });
    }`,
  plain: `export async function handler() { return 'nothing'; }`,
} as const;

/** What one capture in a process of its own took. */
export interface CaptureRun {
  readonly durationMs: number;
  readonly bytes: number;
  readonly tables: number;
  /** Most memory that the process had, in MB. */
  readonly peakMb: number;
}

export interface CaptureFunction {
  readonly bundles: readonly Bundle[];
  /** Runs the bundled function on a database of the test cluster, in a new process. */
  run(database: string): Promise<CaptureRun>;
  remove(): void;
}

/**
 * Most memory of the process itself, in kB. On Linux from its status: `maxRSS` is inherited, and starts with the memory of the
 * test process that forked it.
 */
const PEAK_KB = `process.platform === 'linux'
  ? Number(/VmHWM:\\s*(\\d+)/.exec(require('fs').readFileSync('/proc/self/status', 'utf8'))[1])
  : process.resourceUsage().maxRSS`;

/** Bundles both functions as deployments do. */
export function bundleCaptureFunction(): CaptureFunction {
  const folder = mkdtempSync(path.join(tmpdir(), 'capture-function-'));
  for (const [name, code] of Object.entries(HANDLERS)) {
    mkdirSync(path.join(folder, 'lambdas', name), { recursive: true });
    writeFileSync(path.join(folder, 'lambdas', name, 'handler.ts'), code);
  }
  const bundles = bundleFunctions({
    lambdasFolder: path.join(folder, 'lambdas'),
    outdir: path.join(folder, 'bundles'),
  });
  return {
    bundles,
    async run(database) {
      const { cluster } = testServices();
      const script = `require('./index.js').handler(${JSON.stringify({ cluster, database })}).then((answer) => {
        console.log(JSON.stringify({ ...answer, peakMb: (${PEAK_KB}) / 1000 }));
        process.exit(0);
      })`;
      const { stdout } = await run(process.execPath, ['-e', script], {
        cwd: path.join(folder, 'bundles', 'capturing'),
        env: { NODE_EXTRA_CA_CERTS: cluster.caFile },
      });
      return JSON.parse(stdout) as CaptureRun;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
