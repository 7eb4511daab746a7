import type * as z from 'zod';
import type { EntitlementRule } from '../core/entitlements/contract';
import type { putRulesPlan } from '../lambdas/entitlements/contract';
import type { Context } from './context';
import { CommandError } from './errors';
import { readNamedFile } from './files';
import { table } from './print/table';

type Plan = z.infer<typeof putRulesPlan>;

/** The rules of a file. Their form is checked by the function. @throws CommandError `usage` when it is not a JSON list */
export function readRules(file: string): EntitlementRule[] {
  const text = readNamedFile(file);
  let rules: unknown;
  try {
    rules = JSON.parse(text);
  } catch (cause) {
    throw new CommandError('usage', `${file}: ${(cause as Error).message.split('\n')[0]}`, { cause });
  }
  if (!Array.isArray(rules)) {
    throw new CommandError('usage', `${file}: expected a list of rules, as "ops entitlements rules get --json" prints`);
  }
  return rules as EntitlementRule[];
}

/** Asks what a set of rules would change. */
export async function planRules({ invoke }: Pick<Context, 'invoke'>, rules: EntitlementRule[]): Promise<Plan> {
  const { contract, putRulesPlan: form } = await import('../lambdas/entitlements/contract');
  return invoke('entitlements', { ...contract, report: form }, { action: 'put-rules', rules, dryRun: true });
}

/** A plan for people. */
export function describePlan(
  { rules, usersGaining, usersLosing, changes }: Plan,
  { style }: Pick<Context, 'style'>,
): string[] {
  const rows = changes.map(({ userId, projectId, gained, lost }) => [
    userId,
    projectId,
    style.green(gained.join(', ')),
    style.red(lost.join(', ')),
  ]);
  return [
    `${rules} rules: ${usersGaining} users would gain a feature, ${usersLosing} would lose one`,
    ...(rows.length === 0 ? [] : table(['user', 'project', 'gains', 'loses'], rows, style)),
  ];
}
