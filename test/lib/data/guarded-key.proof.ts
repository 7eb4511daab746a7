import { exampleEnvironment } from '../../support/example-environments';
import { resourcesOf, templatesOf, type Synthesised } from '../support';
import { synthesise } from '../synthesise';

const BREAK_GLASS = 'arn:aws:iam::333333333333:role/break-glass';

interface Statement {
  readonly Sid?: string;
  readonly Effect: string;
  readonly Action: readonly string[];
  readonly Condition: { readonly ArnNotLike: { readonly 'aws:PrincipalArn': unknown } };
}

/** The guards of the keys of a stack, by logical ids without their hashes. */
function guardsOf(template: Synthesised['data']): Record<string, Statement> {
  const keys = Object.entries(resourcesOf(template, 'AWS::KMS::Key'));
  return Object.fromEntries(
    keys.flatMap(([id, { Properties }]) => {
      const { Statement: statements } = Properties.KeyPolicy as { Statement: Statement[] };
      return statements.filter(({ Sid }) => Sid === 'KeepKey').map((guard) => [id.slice(0, -8), guard]);
    }),
  );
}

const production = exampleEnvironment('production');
const { data, recovery } = synthesise({ ...production, breakGlassRoleArn: BREAK_GLASS });

test('what archives and recovery points are encrypted with is ended by nobody but the break-glass role', () => {
  if (!recovery) throw new Error('Production has no second region');
  expect(Object.keys(guardsOf(data)).toSorted()).toEqual([
    'ArchivesKey',
    'BillingDatabaseKey',
    'BillingDatabaseRecoveryPointsKey',
    'MainDatabaseKey',
    'MainDatabaseRecoveryPointsKey',
  ]);
  expect(Object.keys(guardsOf(recovery)).toSorted()).toEqual([
    'ArchivesKey',
    'BillingRecoveryPointsKey',
    'MainRecoveryPointsKey',
  ]);
  for (const guard of [...Object.values(guardsOf(data)), ...Object.values(guardsOf(recovery))]) {
    expect(guard).toMatchObject({
      Effect: 'Deny',
      Principal: { AWS: '*' },
      Action: ['kms:DeleteImportedKeyMaterial', 'kms:DisableKey', 'kms:PutKeyPolicy', 'kms:ScheduleKeyDeletion'],
    });
    expect(JSON.stringify(guard.Condition)).toContain(BREAK_GLASS);
    expect(JSON.stringify(guard.Condition)).toContain('role/cdk-*-cfn-exec-role-333333333333-');
  }
});

test('keys of an environment that may be removed are not guarded', () => {
  expect(guardsOf(templatesOf('dev').data)).toEqual({});
});
