import { defineCommand } from '../command';
import { findingLines, objectiveLines } from '../print/region-loss';
import { flag, optional, text } from '../values';

export const regionLossCheck = defineCommand({
  name: 'region-loss check',
  summary: 'Says whether all that a recovery in the second region needs is there, and how old it is',
  details:
    'The newest archive of each database is looked for whole, object by object, and its manifest is read there. Give the public key that is kept outside of the account, as a recovery has to. After the loss, --without-first asks nothing of the first region.',
  effect: 'reads',
  changes: 'nothing.',
  json: '`{environment, region, bucket, checkedAt, rpo, findings}`; a finding is `{check, state, detail, fix}`, and its `state` `good`, `wrong` or `skipped`',
  finding:
    'something that a recovery needs is missing, too old or cannot be read, or a quarter went by without a drill',
  arguments: {},
  options: {
    publicKey: optional(
      text('file'),
      'Public half of the key that signs archives, as docs/deploy.md, step 11, keeps it',
    ),
    into: optional(
      text('environment'),
      'Environment that takes its place. Default: one whose settings name that region',
    ),
    withoutFirst: flag('Ask nothing of the first region'),
    region: optional(text('region'), 'Second region. Default: as it is deployed'),
  },
  examples: [
    { line: 'region-loss check --public-key archive-signing-key.pem', explains: 'Could we lose the region now?' },
    { line: 'region-loss check --without-first --region eu-west-1', explains: 'The region is lost: what is left?' },
  ],
  async run(context, { publicKey, into, withoutFirst, region }) {
    const { findSecondRegion } = await import('../region-loss/place');
    const { checkSecondRegion } = await import('../region-loss/check');
    const { checkLastDrill } = await import('../region-loss/last-drill');
    const { readPublicKey } = await import('../region-loss/copied-archives');
    const key = publicKey === undefined ? undefined : readPublicKey(publicKey);
    const place = await findSecondRegion(context, { region, withoutFirst });
    try {
      const { report: checked } = await checkSecondRegion(context, place, { publicKey: key, withoutFirst, into });
      const report = { ...checked, findings: [...checked.findings, await checkLastDrill(context, place)] };
      const isGood = report.findings.every(({ state }) => state !== 'wrong');
      return {
        report,
        lines: [...findingLines(report, context), '', ...objectiveLines(report, context)],
        exit: isGood ? 'done' : 'finding',
      };
    } finally {
      await place.clients.close();
    }
  },
});
