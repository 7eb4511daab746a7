import { createPublicKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { GetFunctionConfigurationCommand, InvokeCommand } from '@aws-sdk/client-lambda';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { mockClient } from 'aws-sdk-client-mock';
import type { Cluster } from '../../local/postgres/cluster';
import type { RegionDrill } from '../../ops/region-loss/drill-record';
import { runOps } from '../ops/run-ops';
import { SIGNING_KEY_ARN } from '../support/archive-key';
import { createBucket } from '../support/object-store';
import type { BundledFunctions } from './bundled-functions';
import { controlPlaneOf, lambda, secrets, stacksAre, startTwoRegions } from './second-region';

/** A key pair of the second region: it did not sign the archives. */
export const SECOND_KEY_ARN = SIGNING_KEY_ARN.replace('eu-central-1', 'eu-west-1').replace('archives', 'second');
/** The secret of the environment there, by which its own ledger would be read. */
const ERASURE_SECRET = 'arn:dev2-erasures';

export interface DrillPlace {
  /** The first region. */
  readonly first: BundledFunctions;
  /** Server of the second region, with empty databases `billing` and `main`. */
  readonly second: Cluster;
  readonly copies: string;
  /** Bucket of the first region. */
  readonly bucket: string;
}

/** Runs `ops region-loss drill` into an environment whose functions are the bundles, and whose control plane is mocked. */
export async function drillInto({ first, second, copies, bucket }: DrillPlace) {
  const regions = startTwoRegions();
  const sts = mockClient(STSClient);
  sts.on(GetCallerIdentityCommand).resolves({ Arn: 'arn:aws:iam::111111111111:user/drill' });
  try {
    writeFileSync(regions.publicKey, await publicKeyOf(first.kmsEndpoint));
    const successor = await createBucket(regions.s3);
    controlPlaneOf(copies, bucket);
    const settled = ['dev-Recovery', 'dev2-Data', 'dev2-Operations', 'dev2-Monitoring'];
    stacksAre(Object.fromEntries(settled.map((name) => [`BillingOps-${name}`, 'CREATE_COMPLETE'])));
    lambda.on(GetFunctionConfigurationCommand, { FunctionName: 'BillingOps-dev2-restore' }).resolves({
      Environment: { Variables: { ARCHIVE_BUCKET: successor, ERASURE_KEY_SECRET_ARN: ERASURE_SECRET } },
    });
    const keyInUse = secretOfSuccessor(first);
    restoresThere(first, second, successor);
    const { status, stdout, stderr } = await runOps([
      'region-loss',
      'drill',
      '--into=dev2',
      '--confirm=dev2',
      `--public-key=${regions.publicKey}`,
      '--env=dev',
      '--json',
      '--without-audit',
    ]);
    if (status !== 0) throw new Error(`The drill ended with ${status}: ${stderr}`);
    const { Contents = [] } = await regions.s3.send(new ListObjectsV2Command({ Bucket: successor }));
    return {
      record: JSON.parse(stdout) as RegionDrill,
      printed: stderr,
      left: { objects: Contents.map(({ Key }) => Key), key: keyInUse() },
    };
  } finally {
    sts.restore();
    regions.stop();
  }
}

/** The restore of the second region, in a process of its own, as Lambda invokes it. */
function restoresThere(first: BundledFunctions, second: Cluster, successor: string): void {
  const place = (database: string) => ({
    [`${database}_DATABASE_HOST`]: second.host,
    [`${database}_DATABASE_PORT`]: String(second.port),
    [`${database}_DATABASE_NAME`]: database.toLowerCase(),
    [`${database}_DATABASE_SECRET_ARN`]: 'second',
  });
  first.secrets.put('second', { username: second.user, password: second.password });
  const environment = {
    ...first.environments.restore,
    ...place('BILLING'),
    ...place('MAIN'),
    ARCHIVE_BUCKET: successor,
    ARCHIVE_SIGNING_KEY_ARN: SECOND_KEY_ARN,
    ERASURE_KEY_SECRET_ARN: ERASURE_SECRET,
  };
  const restore = first.start('restore', environment, { timeoutSeconds: 300, caFile: second.caFile ?? '' });
  lambda
    .on(InvokeCommand, { FunctionName: 'BillingOps-dev2-restore' })
    .callsFake(async ({ Payload }: { Payload: string }) => {
      const answer = JSON.stringify(await restore.invoke(JSON.parse(Payload)));
      return { Payload: { transformToString: () => answer } };
    });
}

/** The API of Secrets Manager over what the functions read. @returns whose key it has in the end */
function secretOfSuccessor({ secrets: served }: BundledFunctions): () => string | undefined {
  const values: Record<string, object> = { own: { key: 'o'.repeat(64) }, replica: { key: 'k'.repeat(64) } };
  let current = 'own';
  const use = (version: string): void => {
    current = version;
    served.put(ERASURE_SECRET, values[version] ?? {});
  };
  use('own');
  secrets.on(GetSecretValueCommand).callsFake(({ SecretId }: { SecretId: string }) => {
    const version = SecretId === ERASURE_SECRET ? current : 'replica';
    return { SecretString: JSON.stringify(values[version]), VersionId: version };
  });
  // A call with the token of a version that is there stores nothing and moves no stage.
  secrets.on(PutSecretValueCommand).callsFake(({ SecretString = '{}', ClientRequestToken: version = '' }) => {
    if (values[version] !== undefined) return {};
    values[version] = JSON.parse(SecretString) as object;
    use(version);
    return {};
  });
  secrets.on(DescribeSecretCommand).callsFake(() => ({ VersionIdsToStages: { [current]: ['AWSCURRENT'] } }));
  secrets.on(UpdateSecretVersionStageCommand).callsFake(({ MoveToVersionId = '' }) => {
    use(MoveToVersionId);
    return {};
  });
  return () => current;
}

/** What an operator keeps of the key of the first region, as docs/deploy.md, step 11, says. */
async function publicKeyOf(endpoint: string): Promise<string> {
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: { 'x-amz-target': 'TrentService.GetPublicKey' },
    body: JSON.stringify({ KeyId: SIGNING_KEY_ARN }),
  });
  const { PublicKey } = (await answer.json()) as { readonly PublicKey: string };
  const key = createPublicKey({ key: Buffer.from(PublicKey, 'base64'), format: 'der', type: 'spki' });
  return key.export({ format: 'pem', type: 'spki' }).toString();
}
