import { defineCommand } from '../command';
import { CommandError } from '../errors';
import { objectiveLines } from '../print/region-loss';
import { flag, optional, required, text } from '../values';

export const regionLossDrill = defineCommand({
  name: 'region-loss drill',
  summary: 'Rehearses the loss of the region: restores what the second one has into scratch databases there',
  details:
    'Each quarter. It checks, waits until the environment that takes the place of the lost one is deployed, gives it the key and the copies that a restore needs, restores the newest archive of each database there, which proves it and erases again who was erased, and takes back what it made. Each step is timed. What was interrupted, the next call continues, or takes back with --abandon; a run that is still at it then stops. The stacks are left: npx cdk destroy -c env=<environment> --all, unless they are kept in readiness.',
  effect: 'adds',
  changes:
    'puts archives, the ledger of erasures and its key into an environment of the second region, and takes them back; keeps a record.',
  json: 'the record, as `ops/region-loss/drill-record.ts` describes it',
  finding: 'the check found a gap, or a database came back otherwise than it was archived',
  arguments: {},
  options: {
    into: required(text('environment'), 'Environment of the second region, without data of its own'),
    publicKey: optional(
      text('file'),
      'Public half of the key that signs archives, as docs/deploy.md, step 11, keeps it',
    ),
    abandon: flag('Only take back what an interrupted drill made; nothing where the environment is in use by now'),
    confirm: optional(text('environment'), 'Name of that environment, instead of typing it'),
  },
  examples: [
    {
      line: 'region-loss drill --into prod2 --public-key archive-signing-key.pem',
      explains: 'Could we come back in the other region, and how fast?',
    },
    { line: 'region-loss drill --into prod2 --abandon', explains: 'Clean up after a drill that is not continued.' },
  ],
  async run(context, { into, publicKey, abandon, confirm }) {
    const { assertHasRegions, findSecondRegion } = await import('../region-loss/place');
    const { abandonDrill, drillLines, runDrill } = await import('../region-loss/drill');
    const { readPublicKey } = await import('../region-loss/copied-archives');
    assertHasRegions(context.target);
    const key = publicKey === undefined ? undefined : readPublicKey(publicKey);
    if (key === undefined && !abandon) {
      throw new CommandError(
        'usage',
        '--public-key is missing: nothing else tells the archives of this environment from others in another region (docs/deploy.md, step 11)',
      );
    }
    const place = await findSecondRegion(context, { region: undefined, withoutFirst: false });
    try {
      const record = abandon
        ? await abandonDrill(context, place, into, confirm)
        : await runDrill(context, place, { into, publicKey: key, withoutFirst: false, confirm });
      return {
        report: record,
        lines: [...(abandon ? [] : objectiveLines(record, context)), ...drillLines(record, place)],
        exit: record.outcome === 'gaps' ? 'finding' : 'done',
      };
    } finally {
      await place.clients.close();
    }
  },
});
