import { RegionInfo } from 'aws-cdk-lib/region-info';
import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';
import { rdsHost } from '../../core/residency/contract';
import { nodePort } from './bitcoin-settings';
import type { ExistingDatabaseConfig } from './database-settings';
import type { Settings } from './environment-settings';
import { refuseRecovery } from './recovery-checks';
import type { Refuse } from './refuse';
import { refuseValues } from './value-checks';

/** Reports settings that are right in themselves and contradict each other, or name what AWS does not have. */
export function refuseContradictions(config: Settings, refuse: Refuse): void {
  refuseValues(config, refuse);
  refuseRegions(config, refuse);
  refuseStripe(config, refuse);
  refuseRoles(config, refuse);
  refuseNetwork(config, refuse);
  refuseCanary(config, refuse);
  refuseBackupAccount(config, refuse);
  refuseLayers(config, refuse);
  refuseBitcoin(config, refuse);
  if (config.domain) refuseDomain(config.domain, config, refuse);
  for (const name of DATABASE_NAMES) refuseDatabase(name, config, refuse);
  refuseMove(config, refuse);
  if (isSameDatabase(config.databases)) {
    refuse(
      ['databases', 'main'],
      'must be another database than billing: a backup of one would restore over the other',
    );
  }
}

function refuseRegions({ region, secondRegion, allowedRegions }: Settings, refuse: Refuse): void {
  const known = new Set(RegionInfo.regions.map(({ name }) => name));
  const unknown = 'must be a region of AWS, such as `eu-central-1`';
  for (const [index, allowed] of allowedRegions.entries()) {
    if (!known.has(allowed)) refuse(['allowedRegions', String(index)], unknown);
  }
  const staying = `must be one of ${allowedRegions.join(', ')}, where this data may stay`;
  if (!allowedRegions.includes(region)) refuse(['region'], staying);
  if (secondRegion !== undefined && !allowedRegions.includes(secondRegion)) refuse(['secondRegion'], staying);
  if (secondRegion === region) refuse(['secondRegion'], 'must be another region than `region`');
}

function refuseNetwork(config: Settings, refuse: Refuse): void {
  const { existingNetwork, availabilityZones = [], cache, region } = config;
  const created = DATABASE_NAMES.some((name) => config.databases[name].kind === 'create');
  if (existingNetwork && config.network) {
    refuse(['network'], 'must be left out with `existingNetwork`: it describes the network that is created');
  }
  if (config.network && !created && !existingNetwork) {
    refuse(
      ['network'],
      'must be left out where no database is created, as no network is then: name one as `existingNetwork`',
    );
  }
  if (created && existingNetwork && !existingNetwork.databaseSubnetIds) {
    refuse(['existingNetwork', 'databaseSubnetIds'], 'must name the subnets of the databases that are created');
  }
  if (created && !existingNetwork && !config.availabilityZones) {
    refuse(['availabilityZones'], 'must name three zones when a network is created for the databases');
  }
  if (!created && !existingNetwork && cache.kind === 'serverless') {
    refuse(['cache'], 'must be of kind `none` where there is no network to put the cache into');
  }
  refuseZones(['availabilityZones'], availabilityZones, region, refuse);
  if (!existingNetwork) return;
  const { availabilityZones: zones } = existingNetwork;
  refuseZones(['existingNetwork', 'availabilityZones'], zones, region, refuse);
  for (const field of ['privateSubnetIds', 'databaseSubnetIds'] as const) {
    const subnets = existingNetwork[field];
    if (subnets && subnets.length !== zones.length) {
      refuse(['existingNetwork', field], `must name one subnet for each of ${zones.length} zones`);
    }
  }
}

/** The firewall that admits only listed addresses has to know that of the canary. */
function refuseCanary(config: Settings, refuse: Refuse): void {
  const { canary, firewall, stripe, existingNetwork, databases } = config;
  if (!canary || !firewall || stripe.webhookAddresses.length === 0) return;
  if (existingNetwork && !existingNetwork.egressAddresses?.length) {
    refuse(
      ['existingNetwork', 'egressAddresses'],
      'must list the public addresses of the NAT gateways, from which the canary comes, with `stripe.webhookAddresses`',
    );
  }
  if (!existingNetwork && DATABASE_NAMES.every((name) => databases[name].kind === 'existing')) {
    refuse(
      ['canary'],
      'must be false with `stripe.webhookAddresses` where there is no network: it has no fixed address',
    );
  }
}

function refuseMove(config: Settings, refuse: Refuse): void {
  const { billing, main } = config.databases;
  if (main.move) refuse(['databases', 'main', 'move'], 'must be left out: only billing moves');
  if (billing.move) refuseSecret(['databases', 'billing', 'move'], billing.move, config, refuse);
  if (billing.move && billing.kind === 'existing' && addressOf(billing) === addressOf(billing.move)) {
    refuse(
      ['databases', 'billing', 'move', 'host'],
      'must be another server than that of the database, which moves there',
    );
  }
  if (billing.move && 'secretArn' in billing && 'secretArn' in main && billing.secretArn === main.secretArn) {
    refuse(
      ['databases', 'billing', 'move'],
      'must be left out while both databases have one secret: the cut-over would send the main database to the new server as well. Give billing a secret of its own first',
    );
  }
}

function refuseBackupAccount({ account, region, backupAccount }: Settings, refuse: Refuse): void {
  if (!backupAccount) return;
  if (backupAccount.account === account) {
    refuse(
      ['backupAccount', 'account'],
      'must be another account than `account`, or it keeps nothing from who takes that over',
    );
  }
  const [, , , keyRegion, keyAccount] = backupAccount.archiveKeyArn.split(':');
  if (keyRegion !== region || keyAccount !== backupAccount.account) {
    refuse(['backupAccount', 'archiveKeyArn'], `must be a key of account ${backupAccount.account} in ${region}`);
  }
}

function refuseLayers({ region, openTelemetry }: Settings, refuse: Refuse): void {
  for (const [index, arn] of (openTelemetry?.layerArns ?? []).entries()) {
    if (arn.split(':')[3] !== region) refuse(['openTelemetry', 'layerArns', String(index)], `must be in ${region}`);
  }
}

function refuseBitcoin(config: Settings, refuse: Refuse): void {
  const { bitcoin } = config;
  if (!bitcoin) return;
  refuseSecret(['bitcoin'], bitcoin, config, refuse);
  if (!URL.canParse(bitcoin.nodeUrl)) return;
  const isPlaintext = bitcoin.nodeUrl.startsWith('http:');
  if (isPlaintext && !bitcoin.nodePlaintext) {
    refuse(
      ['bitcoin', 'nodeUrl'],
      'must begin with `https://`, or `nodePlaintext` must be true, which is safe inside a private network only',
    );
  }
  if (!isPlaintext && bitcoin.nodePlaintext) {
    refuse(['bitcoin', 'nodePlaintext'], 'must be left out where `nodeUrl` begins with `https://`');
  }
  const port = nodePort(bitcoin);
  if (port < 1 || port > 65_535) refuse(['bitcoin', 'nodeUrl'], 'must name a port of 1–65535');
}

function refuseZones(path: readonly string[], zones: readonly string[], region: string, refuse: Refuse): void {
  for (const [index, zone] of zones.entries()) {
    const known = zone.startsWith(region) && /^[a-z]$/.test(zone.slice(region.length));
    if (!known) refuse([...path, String(index)], `must be a zone of ${region}, such as \`${region}a\``);
  }
}

/** A user is a role of the whole server, with one set of limits. */
function refusePeople(name: DatabaseName, { databases }: Settings, refuse: Refuse): void {
  const settings = databases[name];
  if (settings.kind === 'existing' && settings.people.length > 0 && settings.resourceId === undefined) {
    refuse(['databases', name, 'resourceId'], 'must be given with `people`: their policies name the instance by it');
  }
  const { billing, main } = databases;
  if (name === 'billing' || billing.kind !== 'existing' || main.kind !== 'existing') return;
  if (billing.host.toLowerCase() !== main.host.toLowerCase() || billing.port !== main.port) return;
  for (const [index, { user, access }] of main.people.entries()) {
    const other = billing.people.find((one) => one.user === user);
    if (other && other.access !== access) {
      refuse(
        ['databases', 'main', 'people', String(index), 'access'],
        `must be ${other.access}, as in billing: on one server, ${user} is one user`,
      );
    }
  }
}

function refuseDatabase(name: DatabaseName, config: Settings, refuse: Refuse): void {
  const settings = config.databases[name];
  refusePeople(name, config, refuse);
  if (settings.kind === 'create') {
    // RDS refuses a ceiling closer than 10 % above the start.
    if (settings.maximumStorageGiB < settings.allocatedStorageGiB * 1.1) {
      refuse(['databases', name, 'maximumStorageGiB'], 'must be at least 10 % above allocatedStorageGiB');
    }
    return;
  }
  if (name === 'billing' && settings.managed === 'elsewhere') {
    refuse(['databases', name, 'managed'], 'must be `here`: the tables of billing are those of this platform');
  }
  refuseSecret(['databases', name], settings, config, refuse);
  refuseInstance(name, settings, config, refuse);
  refuseRecovery(name, config, refuse);
  const network = config.existingNetwork ?? DATABASE_NAMES.some((each) => config.databases[each].kind === 'create');
  if (settings.rotation && !network) {
    refuse(['databases', name, 'rotation'], 'must be false without a network, in which the function would run');
  }
  if (settings.securityGroupId !== undefined && !network) {
    refuse(['databases', name, 'securityGroupId'], 'must be left out without a network: it has no functions to admit');
  }
}

/** Functions look for secrets and keys in their own region and account only. */
function refuseSecret(
  path: readonly string[],
  arns: { readonly secretArn: string; readonly secretKeyArn?: string | undefined },
  { region, account }: Settings,
  refuse: Refuse,
): void {
  for (const field of ['secretArn', 'secretKeyArn'] as const) {
    const [, , , ownRegion, ownAccount] = arns[field]?.split(':') ?? [];
    if (ownRegion === undefined) continue;
    if (ownRegion !== region) refuse([...path, field], `must be in ${region}`);
    if (ownAccount !== account) refuse([...path, field], `must be in account ${account}, whose functions read it`);
  }
}

/** What the host that RDS gave an instance says of it, and other settings deny. */
function refuseInstance(
  name: DatabaseName,
  { host, instanceIdentifier, recoveryPoints }: ExistingDatabaseConfig,
  { allowedRegions }: Settings,
  refuse: Refuse,
): void {
  const at = (field: string) => ['databases', name, field];
  const instance = rdsHost(host);
  if (instance && !allowedRegions.includes(instance.region)) {
    refuse(at('host'), `must be in one of ${allowedRegions.join(', ')}, where this data may stay`);
  }
  if (instance && instanceIdentifier !== undefined && instance.id !== instanceIdentifier) {
    refuse(at('instanceIdentifier'), `must be ${instance.id}, the instance that \`host\` names`);
  }
  if (recoveryPoints === 'elsewhere' && instanceIdentifier === undefined) {
    refuse(at('instanceIdentifier'), 'must name the instance whose recovery points every backup checks');
  }
}

/** The key of the API goes to this address: in plaintext to nothing but a stand-in. */
function refuseStripe({ stripe }: Settings, refuse: Refuse): void {
  // Refused by its form already.
  if (!URL.canParse(stripe.apiBase)) return;
  const { protocol, pathname, search, username, password } = new URL(stripe.apiBase);
  const isPlain = pathname === '/' && [search, username, password].every((part) => part === '');
  if (!['http:', 'https:'].includes(protocol) || !isPlain) {
    refuse(['stripe', 'apiBase'], 'must be a URL such as `https://api.stripe.com`, without user, path and query');
  }
  if (protocol === 'http:' && stripe.livemode) {
    refuse(['stripe', 'apiBase'], 'must begin with `https://` where events are live: it is sent the key of the API');
  }
}

/** Of another account they would protect, or bound, nothing here. */
function refuseRoles({ account, breakGlassRoleArn, permissionsBoundaryArn }: Settings, refuse: Refuse): void {
  const isForeign = (arn: string | undefined, ...known: string[]) =>
    arn !== undefined && ![account, ...known].includes(arn.split(':')[4] ?? '');
  if (isForeign(breakGlassRoleArn)) refuse(['breakGlassRoleArn'], `must be a role of account ${account}`);
  if (isForeign(permissionsBoundaryArn, 'aws')) {
    refuse(['permissionsBoundaryArn'], `must be a policy of account ${account}, or of AWS`);
  }
}

const addressOf = ({ host, port, databaseName }: Pick<ExistingDatabaseConfig, 'host' | 'port' | 'databaseName'>) =>
  [host.toLowerCase(), port, databaseName].join(' ');

/** Whether both settings name one database of one server. */
function isSameDatabase({ billing, main }: Settings['databases']): boolean {
  return billing.kind === 'existing' && main.kind === 'existing' && addressOf(billing) === addressOf(main);
}

/** Reports a certificate that the API cannot use, and a name that its zone cannot hold. */
function refuseDomain(
  { name, certificateArn, hostedZone }: NonNullable<Settings['domain']>,
  { region: own, account }: Settings,
  refuse: Refuse,
): void {
  const [, , , certificateRegion, certificateAccount] = certificateArn.split(':');
  if (certificateRegion !== own || certificateAccount !== account) {
    refuse(['domain', 'certificateArn'], `must be a certificate of account ${account} in ${own}, where the API is`);
  }
  if (hostedZone !== 'external' && name !== hostedZone.name && !name.endsWith(`.${hostedZone.name}`)) {
    refuse(['domain', 'name'], `must be ${hostedZone.name} or end in .${hostedZone.name}, the name of its hosted zone`);
  }
}
