import type { DatabaseName } from '../../core/contract';
import type { Context } from '../context';
import { inspect } from '../inspect';
import { type Finding, judged } from './finding';

/** Encryption, identity, role and extensions of a database. */
export async function checkServer(context: Context, database: DatabaseName): Promise<Finding[]> {
  const { tls, version, identity, role, publicMayCreate, extensions, readOnly } = await inspect(context, 'server', {
    database,
  });
  const isOwn = identity === database;
  const lacking = extensions.filter(({ preloaded, installed }) => preloaded && installed === null);
  const outdated = extensions.filter(
    ({ installed, available }) => installed !== null && available !== null && installed !== available,
  );
  const extensionProblems = [
    ...lacking.map(({ name }) => `${name} is loaded and not created`),
    ...outdated.map(({ name, installed, available }) => `${name} is ${installed}, the server has ${available}`),
  ];
  const present = extensions.filter(({ installed }) => installed !== null).map(({ name }) => name);
  const rights = [
    ...role.missing.map((privilege) => `${role.name} lacks ${privilege}`),
    ...publicMayCreate.map((schema) => `every role may create in ${schema}`),
  ];
  const extensionFix =
    lacking.length > 0
      ? lacking.map(({ name }) => `CREATE EXTENSION ${name};`).join(' ')
      : outdated.map(({ name }) => `ALTER EXTENSION ${name} UPDATE;`).join(' ');
  return [
    judged(
      `server of ${database}`,
      tls !== null && !readOnly,
      `PostgreSQL ${version}, ${tls ?? 'not encrypted'}${readOnly ? ', takes no writes' : ''}`,
      readOnly
        ? `point ${database} at the writer: it answers from a replica`
        : 'set rds.force_ssl to 1 in the parameter group, and deploy Data',
    ),
    judged(
      `identity of ${database}`,
      isOwn,
      isOwn ? `it says that it is ${database}` : `it says that it is ${identity ?? 'nothing'}`,
      identity === null ? `ops migrate apply ${database}` : `check host and secret of ${database}: nothing runs there`,
    ),
    judged(
      `rights in ${database}`,
      rights.length === 0,
      rights.length === 0 ? `${role.name} may do what the platform does` : rights.join('; '),
      [
        ...publicMayCreate.map((schema) => `REVOKE CREATE ON SCHEMA ${schema} FROM PUBLIC`),
        ...(role.missing.length > 0 ? [`grant ${role.name} what it lacks, as the administrator of the server`] : []),
      ].join('; '),
    ),
    judged(
      `extensions of ${database}`,
      extensionProblems.length === 0,
      extensionProblems.join('; ') || present.join(', ') || 'the server loads none',
      extensionFix,
    ),
  ];
}

/** Whether all migrations are applied, and the schema is the one that they make. */
export async function checkMigrations({ invoke }: Context, database: DatabaseName): Promise<Finding[]> {
  const { MIGRATIONS } = await import('../../lambdas/migrate/contract');
  const { pending, current } = await invoke('migrate', MIGRATIONS.record, { action: 'status', database });
  const detail = pending.length === 0 ? `at ${current}` : `pending: ${pending.join(', ')}`;
  const applied = judged(`migrations of ${database}`, pending.length === 0, detail, `ops migrate apply ${database}`);
  if (current === null) return [applied];
  const { problems, notChecked } = await invoke('migrate', MIGRATIONS.validate, { action: 'validate', database });
  const [first] = [...problems, ...notChecked];
  const more = problems.length + notChecked.length - 1;
  return [
    applied,
    judged(
      `schema of ${database}`,
      first === undefined,
      first === undefined ? 'as the migrations make it' : `${first}${more > 0 ? ` (and ${more} more)` : ''}`,
      `ops migrate validate ${database}, then docs/runbook.md#migration-failed`,
    ),
  ];
}
