import type { App } from 'aws-cdk-lib';
import { AwsSolutionsChecks, NIST80053R5Checks, PCIDSS321Checks, ServerlessChecks, type NagPack } from 'cdk-nag';
import type { Finding } from './finding';

/** The packs, by the name that the ids of their rules begin with. */
export const PACKS = {
  AwsSolutions: AwsSolutionsChecks,
  'NIST.800.53.R5': NIST80053R5Checks,
  'PCI.DSS.321': PCIDSS321Checks,
  Serverless: ServerlessChecks,
} as const;

export type PackName = keyof typeof PACKS;

/** What a pack finds, past what is acknowledged: what anybody sees who adds the pack to the app. */
export function unacknowledged(name: PackName, app: App): Finding[] {
  return findingsOf(new PACKS[name](app), app);
}

/** What a pack finds when nothing is acknowledged. */
export function everything(name: PackName, app: App): Finding[] {
  const pack = new PACKS[name](app);
  // Its own method, which it offers no switch for. Should it be renamed, every acknowledgement turns out as stale.
  Object.defineProperty(pack, 'isAcknowledged', { value: () => false });
  return findingsOf(pack, app);
}

function findingsOf(pack: NagPack, app: App): Finding[] {
  return pack.validateScope(app).violations.flatMap(({ ruleName, description, violatingResources }) =>
    violatingResources.map((resource) => ({
      id: ruleName,
      path: (resource as { readonly constructPath?: string }).constructPath ?? '',
      message: description,
    })),
  );
}
