import { createPublicKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { GetPublicKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { CopyObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { check } from '../../../local/pass/check';
import type { RegionLossReport } from '../../../ops/region-loss/check';
import { REHEARSAL_TARGET } from '../../../lib/config/built-environments';
import type { Shell } from '../commands';
import type { Rehearsal, RehearsalStep } from '../rehearsal';

/** As docs/ name it. */
export const PUBLIC_KEY = 'archive-signing-key.pem';
/** MiniStack has no quotas of RDS, and no drill was held there. */
export const UNANSWERED = ['quotas', 'drill'];

/** What an operator asks before a region is lost, and after: of the stack of the copies, the replicas, and the bucket there. */
export const checkSecondRegion: RehearsalStep = {
  title: 'ops region-loss check finds a gap in the second region, and none once the archives are copied',
  async run(rehearsal, tell) {
    await keepPublicKey(rehearsal);
    const { directory, config } = rehearsal.options;
    const shell = { region: config.region, environments: path.join(directory, 'no-environments') };
    const words = `check --public-key ${PUBLIC_KEY}`;
    const before = await regionLoss(rehearsal, words, shell);
    const gaps = wrongIn(before.report);
    check(before.status === 1, `without copies the command ended with ${before.status}`);
    check(
      JSON.stringify(gaps) === JSON.stringify(['archive of billing', 'archive of main', ...UNANSWERED]),
      `without copies it found wrong: ${gaps.join(', ')}`,
    );
    tell(`before S3 has copied them: ${gaps.join(', ')}`);
    await replicate(rehearsal, before.report.bucket);
    const { report } = await regionLoss(rehearsal, words, shell);
    const left = wrongIn(report);
    check(JSON.stringify(left) === JSON.stringify(UNANSWERED), `with the copies it found wrong: ${left.join(', ')}`);
    for (const { state, check: name, detail } of report.findings) tell(`${state.padEnd(8)} ${name}: ${detail}`);
  },
};

/** As step 11 of docs/deploy.md says. */
async function keepPublicKey({ deployment, options }: Rehearsal): Promise<void> {
  const { account, region } = REHEARSAL_TARGET;
  const credentials = { accessKeyId: account, secretAccessKey: 'rehearsal' };
  const kms = new KMSClient({ endpoint: options.endpoint, region, credentials });
  const { physicalId: KeyId } = await deployment.find('Data', 'AWS::KMS::Key', 'ArchiveSigningKey');
  const { PublicKey } = await kms.send(new GetPublicKeyCommand({ KeyId }));
  kms.destroy();
  const key = createPublicKey({ key: Buffer.from(PublicKey ?? []), format: 'der', type: 'spki' });
  writeFileSync(path.join(options.directory, PUBLIC_KEY), key.export({ format: 'pem', type: 'spki' }));
}

/** What the replication rule does, which MiniStack keeps and does not follow. */
async function replicate({ deployment, options }: Rehearsal, to: string): Promise<void> {
  const { account, secondRegion } = REHEARSAL_TARGET;
  const credentials = { accessKeyId: account, secretAccessKey: 'rehearsal' };
  const { endpoint } = options;
  // S3 copies where the copy is to be.
  const abroad = new S3Client({ endpoint, region: secondRegion, credentials, forcePathStyle: true });
  try {
    const { physicalId: from } = await deployment.find('Data', 'AWS::S3::Bucket', 'ArchivesBucket');
    const { Contents = [] } = await options.clients.s3.send(new ListObjectsV2Command({ Bucket: from }));
    for (const { Key = '' } of Contents) {
      const CopySource = `${from}/${Key.split('/').map(encodeURIComponent).join('/')}`;
      await abroad.send(new CopyObjectCommand({ Bucket: to, Key, CopySource }));
    }
  } finally {
    abroad.destroy();
  }
}

/** Runs the command as an operator does, in a process of its own. */
export async function regionLoss(
  { options }: Rehearsal,
  words: string,
  shell: Shell,
): Promise<{ readonly status: number; readonly report: RegionLossReport }> {
  const line = `ops region-loss ${words} --json --env ${options.config.name}`;
  const { status, stdout, stderr } = await options.commands(line, shell);
  if (stdout === '') throw new Error(`${line}: ${stderr}`);
  return { status, report: JSON.parse(stdout) as RegionLossReport };
}

/** Names of what the command found wrong. */
export function wrongIn({ findings }: RegionLossReport): string[] {
  return findings.filter(({ state }) => state === 'wrong').map((finding) => finding.check);
}
