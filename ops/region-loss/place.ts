import { LOCAL_ENVIRONMENT } from '../../core/contract';
import type { CollectorEnvironment } from '../../lambdas/collector/contract';
import { Clients } from '../aws/clients';
import type { Target } from '../aws/target';
import type { Context } from '../context';
import { configurationOf } from '../discover';
import { CommandError, explain, NotOnLocalPlatform } from '../errors';

/** What a recovery begins with: clients of the second region, and the bucket of copies there. */
export interface SecondRegion {
  readonly region: string;
  readonly bucket: string;
  readonly target: Target;
  readonly clients: Clients;
}

/** Form of the bucket's name after the environment, by `lib/data/recovery-region.ts`: account and region. */
const ACCOUNT_AND_REGION = /^\d{12}-(?<region>[a-z]{2}(?:-[a-z]+)+-\d)$/;

/** @throws CommandError `refused` for the local platform */
export function assertHasRegions({ environment }: Target): void {
  if (environment !== LOCAL_ENVIRONMENT) return;
  throw new NotOnLocalPlatform(
    'second region',
    '. Its loss is rehearsed on this machine by npx jest --config jest.proof.config.cjs test/scenarios/region-loss',
  );
}

/**
 * Finds the second region of an environment: as its collector has it, or, where the first region is not to be asked, by the name of
 * the bucket there. The caller closes its clients.
 *
 * @param region of the copies, as typed; needed where the first is not to be asked
 * @throws CommandError `refused` for the local platform and for an environment without a second region
 */
export async function findSecondRegion(
  context: Context,
  { region, withoutFirst }: { readonly region: string | undefined; readonly withoutFirst: boolean },
): Promise<SecondRegion> {
  const { target } = context;
  assertHasRegions(target);
  if (withoutFirst && region === undefined) {
    throw new CommandError('usage', '--without-first needs --region: name the region that has the copies');
  }
  const known = withoutFirst ? undefined : await configuredCopies(context);
  const wanted = region ?? known?.region ?? '';
  const elsewhere: Target = { ...target, region: wanted, label: `${target.environment} (${wanted})` };
  const clients = new Clients(elsewhere);
  try {
    const bucket = known?.region === wanted ? known.bucket : await bucketOfCopies(elsewhere, clients);
    return { region: wanted, bucket, target: elsewhere, clients };
  } catch (error) {
    await clients.close();
    throw error;
  }
}

/** As a deployment has set them. */
async function configuredCopies(context: Context): Promise<{ readonly region: string; readonly bucket: string }> {
  const { environment } = context.target;
  const { variables } = await configurationOf<CollectorEnvironment>(context, 'collector').catch((cause: unknown) => {
    const { message, exit } = explain(cause, 'ask the first region for the second', context.target.label);
    throw new CommandError(exit, `${message}. Is the first region lost? Add --without-first --region <second region>`, {
      cause,
    });
  });
  const { COPY_REGION: region = '', COPY_BUCKET: bucket = '' } = variables;
  if (region !== '' && bucket !== '') return { region, bucket };
  throw new CommandError(
    'refused',
    `${environment} has no second region, and the loss of its region is the loss of its data: set secondRegion in environments/${environment}.yaml, then npx cdk deploy -c env=${environment} --all`,
  );
}

async function bucketOfCopies({ environment, region, label }: Target, clients: Clients): Promise<string> {
  const { ListBucketsCommand } = await import('@aws-sdk/client-s3');
  const Prefix = `billing-ops-${environment}-archives-`;
  const { Buckets = [] } = await (
    await clients.s3()
  )
    .send(new ListBucketsCommand({ Prefix }))
    .catch((cause: unknown) => {
      throw explain(cause, 'list the buckets', label);
    });
  const found = Buckets.flatMap(({ Name = '' }) => {
    const there = ACCOUNT_AND_REGION.exec(Name.slice(Prefix.length))?.groups?.region;
    return there === region ? [Name] : [];
  });
  const [bucket] = found;
  if (bucket !== undefined) return bucket;
  throw new CommandError(
    'failed',
    `This account has no bucket ${Prefix}<account>-${region}: check AWS_PROFILE, --env and --region`,
  );
}
