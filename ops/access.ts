import type { AccessReport } from '../lambdas/migrate/contract';
import { counted } from './print/units';
import type { Style } from './print/style';

interface Described {
  readonly lines: string[];
  readonly exit: 'done' | 'finding';
}

type Change = AccessReport['changes'][number];

/** Objects in a line, as examples; `--json` has all. */
const NAMED = 3;
const PREPOSITIONS = { create: '', alter: '', grant: 'to ', revoke: 'from ' } as const;

/** What an application changes, would change, and cannot. Revocations one by one, grants of one kind in one line. */
export function describeAccess(
  { database, changes, passwords, locksOut, obstacles, dryRun }: AccessReport,
  style: Style,
  when: 'before' | 'after' = 'before',
): Described {
  const left = changes.length + passwords.length;
  const revoked = changes.filter(({ verb }) => verb === 'revoke');
  return {
    lines: [
      ...summarise(changes.filter(({ verb }) => verb !== 'revoke')),
      ...revoked.map((change) => style.yellow(lineOf(change, change.what))),
      ...passwords.map((user) => `password ${user}: that of its secret`),
      ...locksOut.map((role) => style.red(`Can no longer connect: ${role}, unless --keep ${role}`)),
      ...obstacles.map((obstacle) => style.yellow(`Left: ${obstacle}`)),
      left === 0
        ? `Roles and privileges of ${database} are as the policy says${obstacles.length > 0 ? ', but for what is left' : ''}`
        : `${counted(changes.length, 'change')} and ${counted(passwords.length, 'password')} ${dryRun ? 'to be made' : 'made'}`,
    ],
    exit: obstacles.length > 0 || (when === 'before' && left > 0) ? 'finding' : 'done',
  };
}

function lineOf({ verb, role }: Change, what: string): string {
  return `${verb.padEnd(8)} ${PREPOSITIONS[verb]}${role}: ${what}`;
}

function summarise(changes: readonly Change[]): string[] {
  const groups = new Map<string, { readonly change: Change; readonly objects: string[] }>();
  for (const change of changes) {
    const [privileges = '', object] = change.what.split(' on ');
    const line = lineOf(change, privileges.replaceAll(/ \([^)]*\)/g, ' of columns'));
    const group = groups.get(line) ?? { change, objects: [] };
    if (object !== undefined) group.objects.push(object);
    groups.set(line, group);
  }
  return [...groups].map(([line, { objects }]) => {
    if (objects.length === 0) return line;
    const more = objects.length > NAMED ? ` and ${objects.length - NAMED} more` : '';
    return `${line} on ${objects.slice(0, NAMED).join(', ')}${more}`;
  });
}
