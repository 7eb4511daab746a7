import type { SecretListEntry, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Context } from '../context';
import { type Finding, good, judged, wrong } from '../doctor/finding';
import type { SecondRegion } from './place';

/** What a recovery reads of the copies, by the beginning of its name, with what happens without it. */
const NEEDED: Readonly<Record<string, string>> = {
  ErasureKeySecret: 'every restore refuses',
  ApiKeySecret: 'every key of the API has to be made again',
  StripeSecretsApi: 'Stripe has to issue another API key',
  StripeSecretsSigning: 'what comes to the endpoint in use cannot be verified',
};
/** Where payments by Tilled are taken. */
const OPTIONAL: Readonly<Record<string, string>> = {
  TilledSecretsApi: 'Tilled has to issue another API key',
  TilledSecretsSigning: 'what comes to the endpoint in use cannot be verified',
};

/** Whether each secret that a recovery needs has a replica there, and, where the first region answers, of the value in use. */
export async function checkSecrets(
  context: Context,
  place: SecondRegion,
  { withoutFirst }: { readonly withoutFirst: boolean },
): Promise<Finding[]> {
  const { environment } = place.target;
  const there = (await secretsOf(await place.clients.secretsManager(), environment)).filter(isReplicaIn(place.region));
  const here = withoutFirst ? undefined : await secretsOf(await context.clients.secretsManager(), environment);
  const isTaken = ([name]: readonly [string, string]): boolean =>
    name in NEEDED || [...there, ...(here ?? [])].some(named(name));
  return Object.entries({ ...NEEDED, ...OPTIONAL })
    .filter(isTaken)
    .map(([name, without]) => findingOf(name, without, there.filter(named(name)), here?.find(named(name)), place));
}

/** The replica of the one secret of this name. */
export async function replicaOf(place: SecondRegion, name: string): Promise<SecretListEntry | undefined> {
  const secrets = await secretsOf(await place.clients.secretsManager(), place.target.environment);
  return secrets.filter(isReplicaIn(place.region)).find(named(name));
}

/** By the logical id, which CloudFormation puts into the name: first, or behind that of the stack. */
const named =
  (id: string) =>
  ({ Name = '' }: SecretListEntry): boolean =>
    Name.split('-').some((part) => part.startsWith(id));

const isReplicaIn =
  (region: string) =>
  ({ PrimaryRegion }: SecretListEntry): boolean =>
    PrimaryRegion !== undefined && PrimaryRegion !== region;

/** Those that the stacks of an environment made. Values are not read. */
async function secretsOf(client: SecretsManagerClient, environment: string): Promise<SecretListEntry[]> {
  const { paginateListSecrets } = await import('@aws-sdk/client-secrets-manager');
  const found: SecretListEntry[] = [];
  const Filters = [
    { Key: 'tag-key' as const, Values: ['environment'] },
    { Key: 'tag-value' as const, Values: [environment] },
  ];
  for await (const { SecretList = [] } of paginateListSecrets({ client }, { Filters })) found.push(...SecretList);
  // A filter finds what begins with it, too: the secrets of prod2 by prod.
  return found.filter(({ Tags = [] }) => Tags.some(({ Key, Value }) => Key === 'environment' && Value === environment));
}

function findingOf(
  name: string,
  without: string,
  replicas: readonly SecretListEntry[],
  primary: SecretListEntry | undefined,
  { region, target }: SecondRegion,
): Finding {
  const check = `secret ${name}`;
  const [replica] = replicas;
  if (replica === undefined) {
    return wrong(check, `no replica in ${region}: ${without}`, `npx cdk deploy -c env=${target.environment} --all`);
  }
  if (replicas.length > 1) {
    const names = replicas.map(({ ARN }) => ARN).join(', ');
    return wrong(check, `${replicas.length} replicas in ${region}: ${names}`, 'remove those that no stack has');
  }
  if (primary === undefined) return good(check, 'a replica, compared with nothing');
  return judged(
    check,
    currentOf(primary) === currentOf(replica),
    currentOf(primary) === currentOf(replica)
      ? 'a replica of the value in use'
      : `the replica has another value than ${primary.PrimaryRegion ?? 'the first region'}`,
    `aws secretsmanager describe-secret --secret-id ${primary.ARN ?? ''} says why ReplicationStatus is not InSync`,
  );
}

/** Id of the version in use, which a replica has from its secret. */
function currentOf({ SecretVersionsToStages: stages = {} }: SecretListEntry): string | undefined {
  return Object.entries(stages).find(([, of]) => of.includes('AWSCURRENT'))?.[0];
}
