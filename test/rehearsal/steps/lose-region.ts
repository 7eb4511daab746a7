import { DeleteObjectsCommand, ListObjectVersionsCommand } from '@aws-sdk/client-s3';
import { DeleteSecretCommand } from '@aws-sdk/client-secrets-manager';
import { DATABASE_NAMES } from '../../../core/contract';
import { check } from '../../../local/pass/check';
import { businessRows } from '../../factories/business-rows';
import type { Rehearsal, RehearsalStep } from '../rehearsal';
import { prepareSuccessor, shellThere } from '../successor';
import { PUBLIC_KEY, regionLoss, UNANSWERED, wrongIn } from './second-region';

/** Whose subscription begins while no endpoint answers. */
export const MEANWHILE = 'user-meanwhile';

/**
 * What remains of the first region after its stacks were removed goes as well, as far as the emulator lets it: databases,
 * archives, and the secrets that open the databases. The replicas of its other secrets would go with these here, which AWS refuses.
 */
export const loseFirstRegion: RehearsalStep = {
  title: 'The first region is lost, and ops region-loss check answers without it',
  async run(rehearsal, tell) {
    const { platform, options, billing, main, stripe } = rehearsal;
    const { clients, config } = options;
    rehearsal.lost = await businessRows(billing);
    await Promise.all([billing.end(), main.end()]);
    const [successor, removed] = await Promise.all([
      prepareSuccessor(rehearsal),
      emptyBucket(rehearsal),
      ...DATABASE_NAMES.map((name) => platform.databases[name].cluster.stop()),
    ]);
    rehearsal.successor = successor;
    for (const name of DATABASE_NAMES) {
      const command = { SecretId: `company/${name}-database`, ForceDeleteWithoutRecovery: true };
      await clients.secrets.send(new DeleteSecretCommand(command));
    }
    tell(`${config.region}: no stack, no database, none of ${removed} objects of the archive bucket is left`);
    // Stripe goes on, and has no endpoint to deliver to.
    const { object } = stripe.createSubscription({ metadata: { user_id: MEANWHILE } });
    stripe.payInvoice(object.id);
    const { name, region } = successor.config;
    const words = `check --without-first --region ${region} --public-key ${PUBLIC_KEY} --into ${name}`;
    const { report } = await regionLoss(rehearsal, words, shellThere(rehearsal));
    const wrong = wrongIn(report);
    check(
      JSON.stringify(wrong) === JSON.stringify(UNANSWERED),
      `without the first region it found wrong: ${wrong.join(', ')}`,
    );
    tell(`ops region-loss ${words}: wrong is what no emulator has, ${wrong.join(' and ')}`);
  },
};

/** @returns how many objects it had */
async function emptyBucket({ options, keptBucket: Bucket }: Rehearsal): Promise<number> {
  const { s3 } = options.clients;
  check(Bucket !== undefined, 'the stacks of the first region are still there');
  let removed = 0;
  for (;;) {
    const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }));
    const Objects = [...Versions, ...DeleteMarkers].map(({ Key, VersionId }) => ({ Key, VersionId }));
    if (Objects.length === 0) return removed;
    const { Errors = [] } = await s3.send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects }, BypassGovernanceRetention: true }),
    );
    check(Errors.length === 0, `the archive bucket keeps ${Errors[0]?.Key}: ${Errors[0]?.Message}`);
    removed += Versions.length;
  }
}
