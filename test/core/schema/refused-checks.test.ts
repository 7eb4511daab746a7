import { type ClientBase, DatabaseError } from 'pg';
import { Deviations } from '../../../core/schema/apply/deviations';
import { runEntries } from '../../../core/schema/apply/run-entries';
import { searchPathClause } from '../../../core/schema/apply/settings';
import type { SchemaFacts } from '../../../core/schema/contract';

const CHECK = {
  name: 't later',
  type: 'CHECK CONSTRAINT',
  schema: 'shop',
  settings: [],
  statements: ['ALTER TABLE shop.t\n    ADD CONSTRAINT later CHECK (shop.is_later(at));'],
};

const failure = (code: string) => Object.assign(new DatabaseError(`SQLSTATE ${code}`, 0, 'error'), { code });

/** Refuses the check with one error, and its validation with another. */
function refusing(validation: string): ClientBase {
  const query = async (sql: string) => {
    if (sql.includes('VALIDATE CONSTRAINT')) throw failure(validation);
    if (sql.includes('ADD CONSTRAINT') && !sql.includes('NOT VALID')) throw failure('23514');
    return { rows: [] };
  };
  return { query, on: () => undefined, off: () => undefined } as unknown as ClientBase;
}

test('a check that rows do not meet is listed, and a disk that is full meanwhile ends the restore', async () => {
  const deviations = new Deviations();
  await runEntries(refusing('23514'), [CHECK], deviations);
  expect(deviations.all().map(({ object }) => object)).toEqual(['CHECK CONSTRAINT shop.t later']);
  await expect(runEntries(refusing('53100'), [CHECK], new Deviations())).rejects.toMatchObject({
    code: 'database_unavailable',
  });
});

test('the path of a role never puts other schemas before pg_catalog', () => {
  const database = { settings: [], roleSettings: [{ role: 'api', settings: ['search_path=shop, pg_catalog'] }] };
  const facts = { database, roles: [] } as unknown as SchemaFacts;
  expect(searchPathClause(facts)).toBe("SET search_path TO '$user', 'public', 'shop'");
});
