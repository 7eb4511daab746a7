import { type ClientBase, escapeIdentifier, escapeLiteral } from 'pg';
import type { DatabaseFacts } from '../contract';
import type { Deviations } from './deviations';
import { settingClause, shownClause } from './settings';

/**
 * Gives a restored database the settings and the comment of its source. They come before everything in it: a default or
 * a check may mean something else under another time zone.
 *
 * @param client connection to any database of the server, outside of a transaction
 */
export async function restoreDatabaseSettings(
  client: ClientBase,
  database: string,
  facts: DatabaseFacts,
  deviations: Deviations,
): Promise<void> {
  const statementsOf = (name: string, clauseOf = settingClause) => [
    ...facts.settings.map((setting) => `ALTER DATABASE ${name} ${clauseOf(setting)}`),
    ...facts.roleSettings.flatMap(({ role, settings }) =>
      settings.map((setting) => `ALTER ROLE ${escapeIdentifier(role)} IN DATABASE ${name} ${clauseOf(setting)}`),
    ),
    ...(facts.comment === null ? [] : [`COMMENT ON DATABASE ${name} IS ${escapeLiteral(facts.comment)}`]),
  ];
  await run(client, statementsOf, database, deviations);
}

/**
 * Gives a restored database its source's owner, privileges and limit of connections. They come last: the restoring role
 * owns what it works on.
 *
 * @param client connection to any database of the server, outside of a transaction
 */
export async function restoreDatabaseOwner(
  client: ClientBase,
  database: string,
  facts: DatabaseFacts,
  deviations: Deviations,
): Promise<void> {
  const grantsOn = (name: string) =>
    (facts.grants ?? []).map(({ grantee, privilege, grantable }) => {
      const to = grantee === null ? 'PUBLIC' : escapeIdentifier(grantee);
      return `GRANT ${privilege} ON DATABASE ${name} TO ${to}${grantable ? ' WITH GRANT OPTION' : ''}`;
    });
  await run(
    client,
    (name) => [
      ...(facts.connectionLimit === -1 ? [] : [`ALTER DATABASE ${name} CONNECTION LIMIT ${facts.connectionLimit}`]),
      `ALTER DATABASE ${name} OWNER TO ${escapeIdentifier(facts.owner)}`,
      // A new database lets everybody connect and make temporary tables.
      ...(facts.grants === null ? [] : [`REVOKE ALL ON DATABASE ${name} FROM PUBLIC`]),
      ...grantsOn(name),
    ],
    database,
    deviations,
  );
}

async function run(
  client: ClientBase,
  statementsOf: (name: string, clauseOf?: (setting: string) => string) => readonly string[],
  database: string,
  deviations: Deviations,
): Promise<void> {
  // A restore renames the database at its end, so its name of now would say nothing to the reader of the report.
  const shown = statementsOf('…', shownClause);
  for (const [index, statement] of statementsOf(escapeIdentifier(database)).entries()) {
    await client
      .query(statement)
      .catch((error: unknown) => deviations.add('DATABASE', `not done: ${shown[index]}`, error));
  }
}
