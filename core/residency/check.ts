import { functionName } from '../contract';
import type { StackResource } from '../runtime/stack-resources';
import { isNoStack, listResources } from '../stacks/resources';
import type { ResidencyClients } from './clients';
import {
  ALLOWED_OUTPUT,
  type Connected,
  COPIES_STACK,
  instanceBehind,
  type NamedInstance,
  type Residency,
  RESIDENT_STACKS,
} from './contract';
import { existingPlaces, hasData, isDenied, type Place, placesOf, regionOf } from './places';

/** Resources looked up at a time: AWS allows ten requests a second of some of these APIs. */
const CONCURRENCY = 5;

export interface ResidencySources {
  /** Such as `production`. */
  readonly environment: string;
  readonly clients: ResidencyClients;
  /** How functions connect to each database. */
  readonly databases: readonly Connected[];
}

/** A resource of the stack in another region. */
interface Copy {
  readonly region: string;
  readonly resource: StackResource;
}

/**
 * Whether buckets, keys, secrets, instances, vaults, log groups and the cache of the stacks, that of the second region included, and
 * every copy or replica that these are set up to make, are in regions that the settings allow; and instances that existed before, with
 * theirs; and buckets of copies that a former second region still has. Synthesis refuses others; this finds what was set up by hand.
 * Where a resource is that the caller may not ask about, could not be told.
 *
 * @throws what AWS answers otherwise, and where the caller may not list the resources of a stack
 */
export async function checkResidency({ environment, clients, databases }: ResidencySources): Promise<Residency> {
  const client = await clients.cloudFormation();
  const stacks = await stacksOf(clients, environment);
  const allowed = stacks.flatMap((stack) => stack.allowed);
  if (allowed.length === 0) return { allowed, regions: [], resources: 0, copies: 0, existing: 0, outside: [] };
  const places: Place[] = [];
  const resources: StackResource[] = [];
  for (const { name, region } of stacks) {
    resources.push(...(await listResources(client, name)).filter(hasData));
    places.push({ what: name, region });
  }
  const others = allowed.filter((region) => !stacks.some((stack) => stack.region === region));
  const copies = (await Promise.all(others.map((region) => copiesIn(clients, environment, region)))).flat();
  const look = (resource: StackResource, region?: string) =>
    whereAllowed(`${resource.id} and its copies`, () => placesOf(clients, resource, region));
  places.push(...(await placesOfAll(resources, (one) => look(one))));
  // A former second region keeps its stack, and no policy of a function names what is in it any more.
  places.push(...(await placesOfAll(copies, ({ resource, region }) => look(resource, region))));
  places.push(
    ...(await whereAllowed('copies in a former second region', () => formerCopies(clients, environment, copies))),
  );
  const existing = existingInstances(databases, resources);
  places.push(
    ...(await placesOfAll(existing, (one) =>
      whereAllowed(`instance ${one.id} and its copies`, () => existingPlaces(clients, one)),
    )),
  );
  return {
    allowed,
    regions: [...new Set(places.flatMap(({ region }) => region ?? []))].toSorted(),
    resources: resources.length,
    copies: copies.length,
    existing: existing.length,
    outside: places.filter(({ region }) => region === null || !allowed.includes(region)),
  };
}

async function placesOfAll<Item>(items: readonly Item[], look: (item: Item) => Promise<Place[]>): Promise<Place[]> {
  const places: Place[] = [];
  for (let start = 0; start < items.length; start += CONCURRENCY) {
    places.push(...(await Promise.all(items.slice(start, start + CONCURRENCY).map(look))).flat());
  }
  return places;
}

/** The stacks that exist. Another environment may begin with the name of this one, so each is asked for by its whole name. */
async function stacksOf(clients: ResidencyClients, environment: string) {
  const { DescribeStacksCommand } = await import('@aws-sdk/client-cloudformation');
  const client = await clients.cloudFormation();
  const found: { readonly name: string; readonly region: string | null; readonly allowed: readonly string[] }[] = [];
  for (const StackName of RESIDENT_STACKS.map((stack) => functionName(environment, stack))) {
    const Stacks = await client.send(new DescribeStacksCommand({ StackName })).then(
      (answer) => answer.Stacks ?? [],
      (error: unknown) => {
        if (isNoStack(error)) return [];
        throw error;
      },
    );
    for (const { StackName: name = '', StackId, Outputs = [] } of Stacks) {
      if (name !== StackName) continue;
      const output = Outputs.find(({ OutputKey }) => OutputKey === ALLOWED_OUTPUT)?.OutputValue;
      found.push({ name, region: regionOf(StackId), allowed: output?.split(',') ?? [] });
    }
  }
  return found;
}

/** Resources of the stack with the copies, where it is in a region; none where it is not. */
async function copiesIn(clients: ResidencyClients, environment: string, region: string): Promise<Copy[]> {
  try {
    const client = await clients.cloudFormation(region);
    const found = await listResources(client, functionName(environment, COPIES_STACK));
    return found.filter(hasData).map((resource) => ({ region, resource }));
  } catch (error) {
    if (isNoStack(error) || isNotEnabled(error)) return [];
    throw error;
  }
}

/**
 * Whether a region does not know the account: it has to be enabled first, and nothing can be there. The region of the environment
 * took the same credentials.
 *
 * @see https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html
 */
const isNotEnabled = (error: unknown): boolean =>
  error instanceof Error && ['InvalidClientTokenId', 'UnrecognizedClientException'].includes(error.name);

/** A refusal hides no answer about other resources. */
async function whereAllowed(what: string, look: () => Promise<Place[]>): Promise<Place[]> {
  try {
    return await look();
  } catch (error) {
    if (isDenied(error)) return [{ what, region: null }];
    throw error;
  }
}

/**
 * Buckets with copies of archives that are in no stack of an allowed region: those of a former second region, which no setting names
 * any more. Their names are a convention of `lib/data/recovery-region.ts`.
 */
async function formerCopies(clients: ResidencyClients, environment: string, copies: readonly Copy[]): Promise<Place[]> {
  const { ListBucketsCommand } = await import('@aws-sdk/client-s3');
  const Prefix = `billing-ops-${environment}-archives-`;
  const { Buckets = [] } = await (await clients.s3()).send(new ListBucketsCommand({ Prefix }));
  const known = new Set(copies.map(({ resource }) => resource.id));
  // Followed by the account: another environment may be named as this one and `-archives`.
  return Buckets.filter(({ Name = '' }) => !known.has(Name) && /^\d{12}-/.test(Name.slice(Prefix.length))).map(
    ({ Name = '', BucketRegion = null }) => ({ what: `bucket ${Name}`, region: BucketRegion }),
  );
}

/** By the identifiers of the settings, or by the hosts where these are of RDS. */
function existingInstances(databases: readonly Connected[], resources: readonly StackResource[]): NamedInstance[] {
  const made = new Set(resources.map(({ id }) => id));
  const found = new Map<string, NamedInstance>();
  for (const database of databases) {
    const instance = instanceBehind(database);
    if (instance && !made.has(instance.id)) found.set(`${instance.id} ${instance.region}`, instance);
  }
  return [...found.values()];
}
