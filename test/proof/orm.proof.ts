import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findPostgresTools } from '../../bench/backup/postgres-tools';
import { manifestKey } from '../../core/archive/keys';
import { applyMigrations } from '../../core/migrations/runner';
import { migrateApplication } from '../../local/pass/application';
import { type ArchiveSite, contentOf, createForeignSite, manifestAt } from '../factories/archive';
import { asAdministrator } from '../support/database';
import { nativeDump } from '../support/native-dump';
import { testServices } from '../support/services';
import { type Command, MIGRATION_TOOLS, type MigrationTool } from './orm/tools';
import { unavailable } from './tools';

// Databases that the migration tools of companies have made, by those tools themselves, and what they say of a restored one.
const SLOT = '2026-11-21T02:00:00Z';
const pgDump = findPostgresTools()?.pgDump;
if (pgDump === undefined) unavailable('pg_dump', 'version 17 or newer is needed to dump a server of version 17');

let site: ArchiveSite;

beforeEach(async () => {
  site = await createForeignSite('SELECT');
});
afterEach(() => site.remove());

/** A copy of a tool's project in which its commands run. */
class Project {
  private readonly folder = mkdtempSync(path.join(tmpdir(), 'migration-tool-'));

  constructor(private readonly tool: MigrationTool) {
    cpSync(path.join(__dirname, 'orm/projects', tool.name), this.folder, { recursive: true });
    if (tool.migrations !== undefined)
      cpSync(tool.migrations, path.join(this.folder, 'migrations'), { recursive: true });
    if (tool.nodeModules !== undefined) symlinkSync(tool.nodeModules, path.join(this.folder, 'node_modules'));
  }

  /** Runs a command against a database; what it prints. */
  run([program, ...args]: Command, database: string): string {
    const { host, port, user, password, caFile } = testServices().cluster;
    const url = `postgresql://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}?sslmode=verify-full&sslrootcert=${encodeURIComponent(caFile)}`;
    const { stdout, stderr, error } = spawnSync(program === 'node' ? process.execPath : program, args, {
      cwd: this.folder,
      env: { ...process.env, ...this.tool.environment, DATABASE_URL: url },
      encoding: 'utf8',
      timeout: 60_000,
    });
    if (error) throw error;
    return `${stdout}${stderr}`;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What native pg_dump writes, without the key that differs from run to run; the same for all where there is none. */
const dump = (database: string): string =>
  pgDump === undefined ? '' : nativeDump(pgDump, database).replaceAll(/^\\(?:un)?restrict .*$/gm, '');

for (const [name, install] of Object.entries(MIGRATION_TOOLS)) {
  const tool = install();

  (tool ? describe : describe.skip)(`a database that ${name} has made`, () => {
    test('is adopted, archived and restored, and the tool finds it up to date', async () => {
      if (tool === undefined) return;
      const project = new Project(tool);
      const source = site.source.name;
      try {
        expect(project.run(tool.status, source)).not.toMatch(tool.upToDate);
        project.run(tool.migrate, source);
        await asAdministrator(tool.fill, source);

        await applyMigrations(await site.source.client(), 'main', site.migrations.directory, { adopt: source });
        expect(await site.backup(SLOT)).toMatchObject({ outcome: 'created', omissions: [] });
        const manifest = await manifestAt(site.store, manifestKey('main', SLOT));
        expect(manifest).toMatchObject({
          schemaVersions: [{ tool: name, version: expect.stringMatching(tool.version) as string }],
        });

        const { targetDatabase, deviations, schemaDifferences } = await site.restore();
        expect([...deviations, ...schemaDifferences]).toEqual([]);
        expect(await contentOf(targetDatabase)).toEqual(await contentOf(source));
        expect(dump(targetDatabase)).toBe(dump(source));
        expect(project.run(tool.status, targetDatabase)).toMatch(tool.upToDate);
      } finally {
        project.remove();
      }
    });
  });
}

const drizzle = MIGRATION_TOOLS.drizzle?.();

(drizzle ? describe : describe.skip)('the application of the visible pass', () => {
  test('is made as the migrator of Drizzle makes it', async () => {
    if (drizzle === undefined) return;
    const project = new Project(drizzle);
    const other = await createForeignSite('SELECT');
    try {
      project.run(drizzle.migrate, site.source.name);
      await asAdministrator(migrateApplication, other.source.name);
      expect(await contentOf(other.source.name)).toEqual(await contentOf(site.source.name));
      expect(dump(other.source.name)).toBe(dump(site.source.name));
      expect(project.run(drizzle.status, other.source.name)).toMatch(drizzle.upToDate);
    } finally {
      project.remove();
      await other.remove();
    }
  });
});
