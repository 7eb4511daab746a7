import { applyAccess } from '../../../core/access/apply';
import { planAccess } from '../../../core/access/plan';
import { ACCESS_POLICIES } from '../../../core/access/policy';
import { asAdministrator, createTestDatabase } from '../../support/database';

test('an adoption names the logins that it would lock out, and those to keep lose nothing, if they exist', async () => {
  const database = await createTestDatabase('main');
  const client = await database.client();
  await asAdministrator((administrator) =>
    administrator.query(`CREATE ROLE access_app LOGIN PASSWORD 'p'; CREATE ROLE access_report LOGIN PASSWORD 'p'`),
  );
  try {
    const wishes = { name: 'main' as const, logins: [], people: [], keep: [], whole: true };
    const dry = await planAccess(client, ACCESS_POLICIES.main, wishes);
    expect(dry.locksOut).toEqual(expect.arrayContaining(['access_app', 'access_report']));
    const mistyped = planAccess(client, ACCESS_POLICIES.main, { ...wishes, keep: ['access_ap', 'access_app'] });
    await expect(mistyped).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(
        /^keep: the server has no role access_ap\. It has: .*\baccess_app\b.*\baccess_report\b/,
      ),
    });
    const kept = await planAccess(client, ACCESS_POLICIES.main, { ...wishes, keep: ['access_app'] });
    expect(kept.locksOut).not.toContain('access_app');
    await applyAccess(client, kept.changes);
    const { rows } = await client.query(
      `SELECT has_database_privilege('access_app', current_database(), 'CONNECT') AS app,
         has_database_privilege('access_report', current_database(), 'CONNECT') AS report`,
    );
    expect(rows).toEqual([{ app: true, report: false }]);
  } finally {
    await database.drop();
    await asAdministrator((administrator) => administrator.query('DROP ROLE access_app; DROP ROLE access_report'));
  }
});
