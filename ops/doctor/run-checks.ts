import { DATABASE_NAMES } from '../../core/contract';
import type { InspectionReport } from '../../lambdas/inspect/contract';
import { callerArn } from '../audit';
import type { Context } from '../context';
import { configurationOf } from '../discover';
import { inspect } from '../inspect';
import { checkBackupTiers, checkQuotas, checkStacks, checkTopics } from './account-checks';
import { checkLargeArchives } from './archive-checks';
import { checkMigrations, checkServer } from './database-checks';
import { checkInto, failureOf, type Finding, judged } from './finding';
import { checkResidency } from './residency-checks';
import { checkAlarms, checkAudit, checkSoundness, judgeStatus } from './platform-checks';
import { checkFailureQueues, checkSigningSecret, checkStripe } from './stripe-checks';

/** Runs every check. */
export async function runChecks(context: Context, quick: boolean): Promise<Finding[]> {
  const findings: Finding[] = [];
  const attempt = checkInto(findings, context, (check, error) => failureOf(check, error, context));
  await attempt('identity', () => checkIdentity(context));
  await attempt('stacks', () => checkStacks(context));
  for (const database of DATABASE_NAMES) {
    await attempt(`server of ${database}`, () => checkServer(context, database));
    await attempt(`migrations of ${database}`, () => checkMigrations(context, database));
  }
  let databases: InspectionReport<'status'>['databases'] = [];
  await attempt('platform', async () => {
    const limits = await import('../../lambdas/inspect/contract');
    const status = await inspect(context, 'status', {});
    ({ databases } = status);
    return judgeStatus(status, limits, context.now());
  });
  await attempt('large archives', () => checkLargeArchives(context, databases));
  await attempt('backup tiers', () => checkBackupTiers(context));
  await attempt('Stripe', () => checkStripe(context));
  await attempt('signing secret', () => checkSigningSecret(context));
  await attempt('failed requests', () => checkFailureQueues(context));
  await attempt('audit log', () => checkAudit(context));
  await attempt('alarms', () => checkAlarms(context));
  await attempt('alarm topics', () => checkTopics(context));
  await attempt('quotas', () => checkQuotas(context));
  await attempt('residency', () => checkResidency(context));
  if (!quick) {
    for (const database of DATABASE_NAMES) {
      await attempt(`soundness of ${database}`, () => checkSoundness(context, database));
    }
  }
  return findings;
}

/** The credentials, and whether they are of the account that the functions are in. */
async function checkIdentity(context: Context): Promise<Finding[]> {
  const arn = await callerArn(context.clients, context.target);
  const { arn: functionArn } = await configurationOf(context, 'inspect');
  const [mine, deployed] = [arn, functionArn].map((each) => each.split(':')[4] ?? 'unknown');
  const detail = mine === deployed ? arn : `${arn}, and the functions are in account ${deployed}`;
  return [judged('identity', mine === deployed, detail, 'set AWS_PROFILE to the account of the environment')];
}
