import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { Client } from 'pg';
import { APPLICATION_MIGRATIONS, seedApplication } from '../../../local/pass/application';
import { debianPackages, npmPackages, pythonWith } from '../tools';

/** A tool by which companies migrate their databases, and a project of it below `projects/`. */
export interface MigrationTool {
  /** As archives name it. */
  readonly name: string;
  /** What an archive says of a migrated database. */
  readonly version: string | RegExp;
  /** Applies every migration of the project. */
  readonly migrate: Command;
  /** Asks the tool itself whether a database has all of them. */
  readonly status: Command;
  /** Its answer when it has. */
  readonly upToDate: RegExp;
  /** Fills the tables. */
  readonly fill: (client: Client) => Promise<unknown>;
  /** Folder that is copied into the project as `migrations`. @default the project has its own */
  readonly migrations?: string;
  /** Where the project finds the tool's packages. @default it needs none */
  readonly nodeModules?: string;
  /** Variables of both commands. @default none */
  readonly environment?: Readonly<Record<string, string>>;
}

export type Command = readonly [program: string, ...args: string[]];

const ACCOUNTS = `
  INSERT INTO users (email) SELECT 'user' || n || '@example.com' FROM generate_series(1, 50) n;
  INSERT INTO projects (owner_id, labels, budget) SELECT 1 + n % 50, ARRAY['a', 'b c', NULL], n FROM generate_series(1, 200) n`;

const sql = (text: string) => (client: Client) => client.query(text);

/** Each tool with how to have it: `undefined`, and a loud line, where it cannot be had. */
export const MIGRATION_TOOLS: Readonly<Record<string, () => MigrationTool | undefined>> = {
  prisma() {
    const installed = npmPackages(['prisma@6.19.3', '@prisma/adapter-pg@7.10.1']);
    if (installed === undefined) return undefined;
    const prisma = ['node', 'node_modules/prisma/build/index.js', 'migrate'] as const;
    // Its engines as programs are downloaded from another host than npm; the one as WebAssembly needs none of them.
    const none = path.join(installed, 'complete');
    return {
      name: 'prisma',
      version: '20260602093000_add_projects',
      migrate: [...prisma, 'deploy'],
      status: [...prisma, 'status'],
      upToDate: /^Database schema is up to date!$/m,
      fill: sql(`
        INSERT INTO "User" (id, email) SELECT gen_random_uuid(), 'user' || n || '@example.com' FROM generate_series(1, 50) n;
        INSERT INTO "Team" (name, tags) VALUES ('one', '{a,b}'), ('two', NULL);
        INSERT INTO "Membership" ("userId", "teamId", role) SELECT id, 1, 'OWNER' FROM "User";
        INSERT INTO "Project" ("teamId", name, budget) SELECT 1 + n % 2, 'Project ' || n, n / 7.0 FROM generate_series(1, 200) n`),
      nodeModules: path.join(installed, 'node_modules'),
      environment: {
        CHECKPOINT_DISABLE: '1',
        PRISMA_HIDE_UPDATE_MESSAGE: '1',
        PRISMA_QUERY_ENGINE_LIBRARY: none,
        PRISMA_SCHEMA_ENGINE_BINARY: none,
      },
    };
  },
  drizzle() {
    const installed = npmPackages(['drizzle-orm@0.45.4', 'pg@8.23.1']);
    if (installed === undefined) return undefined;
    return {
      name: 'drizzle',
      version: /^1780403113388 [0-9a-f]{64}$/,
      migrate: ['node', 'migrate.mjs'],
      status: ['node', 'migrate.mjs'],
      upToDate: /^applied 0 migrations$/m,
      fill: seedApplication,
      migrations: APPLICATION_MIGRATIONS,
      nodeModules: path.join(installed, 'node_modules'),
    };
  },
  knex() {
    const installed = npmPackages(['knex@3.3.0', 'pg@8.23.1']);
    if (installed === undefined) return undefined;
    const knex = ['node', 'node_modules/knex/bin/cli.js', '--knexfile', 'knexfile.cjs'] as const;
    return {
      name: 'knex',
      version: '20260602093000_view_owners.cjs',
      migrate: [...knex, 'migrate:latest'],
      status: [...knex, 'migrate:status'],
      upToDate: /^No Pending Migration files Found\.$/m,
      fill: sql(`${ACCOUNTS}; REFRESH MATERIALIZED VIEW owners`),
      nodeModules: path.join(installed, 'node_modules'),
    };
  },
  alembic() {
    const python = pythonWith(['alembic==1.20.1', 'sqlalchemy==2.1.9', 'psycopg[binary]==3.3.9']);
    if (python === undefined) return undefined;
    return {
      name: 'alembic',
      version: '9b7d3e5f2c10',
      migrate: [python, '-m', 'alembic', 'upgrade', 'head'],
      // Compares the tables with the models as well.
      status: [python, '-m', 'alembic', 'check'],
      upToDate: /^No new upgrade operations detected\.$/m,
      fill: sql(ACCOUNTS),
      environment: { PYTHONPATH: '.', PYTHONDONTWRITEBYTECODE: '1' },
    };
  },
  rails() {
    const root = debianPackages(['ruby-activerecord', 'ruby-pg', 'ruby-minitest']);
    if (root === undefined) return undefined;
    const { program, environment } = rubyIn(root);
    return {
      name: 'rails',
      version: '20260602093000',
      migrate: [program, 'migrate.rb', 'migrate'],
      status: [program, 'migrate.rb'],
      upToDate: /^up to date at 20260602093000$/m,
      fill: sql(`
        INSERT INTO users (email, created_at, updated_at) SELECT 'user' || n || '@example.com', now(), now() FROM generate_series(1, 50) n;
        INSERT INTO projects (owner_id, labels, budget) SELECT 1 + n % 50, ARRAY['a', 'b c', NULL], n FROM generate_series(1, 200) n`),
      environment,
    };
  },
};

/** How to run the Ruby of unpacked Debian packages, or that of the machine with their libraries. */
function rubyIn(root: string): { readonly program: string; readonly environment: Record<string, string> } {
  const below = (folder: string, pattern: RegExp): string[] => {
    const parent = path.join(root, folder);
    return existsSync(parent) ? readdirSync(parent).filter((name) => pattern.test(name)) : [];
  };
  const libraries = ['usr/lib', ...below('usr/lib', /-linux-gnu/).map((name) => `usr/lib/${name}`)];
  const paths = libraries.flatMap((library) =>
    ['ruby', 'ruby/vendor_ruby'].flatMap((folder) =>
      [folder, ...below(`${library}/${folder}`, /^\d/).map((version) => `${folder}/${version}`)].map((name) =>
        path.join(root, library, name),
      ),
    ),
  );
  const gems = ['usr/share/rubygems-integration', ...libraries.map((library) => `${library}/rubygems-integration`)];
  const [unpacked] = below('usr/bin', /^ruby\d/);
  return {
    program: unpacked === undefined ? 'ruby' : path.join(root, 'usr/bin', unpacked),
    environment: {
      LD_LIBRARY_PATH: libraries.map((library) => path.join(root, library)).join(':'),
      RUBYLIB: paths.join(':'),
      GEM_PATH: gems.flatMap((folder) => below(folder, /./).map((name) => path.join(root, folder, name))).join(':'),
    },
  };
}
