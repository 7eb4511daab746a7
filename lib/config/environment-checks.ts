import { RegionInfo } from 'aws-cdk-lib/region-info';
import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';
import { nodePort } from './bitcoin-settings';
import type { Settings } from './environment-settings';
import { refuseRecovery } from './recovery-checks';
import type { Refuse } from './refuse';

/** Reports settings that are right in themselves and contradict each other, or name what AWS does not have. */
export function refuseContradictions(config: Settings, refuse: Refuse): void {
  refuseRegions(config, refuse);
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

function refuseMove({ databases: { billing, main }, region }: Settings, refuse: Refuse): void {
  if (main.move) refuse(['databases', 'main', 'move'], 'must be left out: only billing moves');
  if (billing.move && billing.move.secretArn.split(':')[3] !== region) {
    refuse(['databases', 'billing', 'move', 'secretArn'], `must be in ${region}`);
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

function refuseBitcoin({ bitcoin }: Settings, refuse: Refuse): void {
  if (!bitcoin) return;
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
  if (nodePort(bitcoin) > 65_535) refuse(['bitcoin', 'nodeUrl'], 'must name a port of at most 65535');
}

function refuseZones(path: readonly string[], zones: readonly string[], region: string, refuse: Refuse): void {
  for (const [index, zone] of zones.entries()) {
    const known = zone.startsWith(region) && /^[a-z]$/.test(zone.slice(region.length));
    if (!known) refuse([...path, String(index)], `must be a zone of ${region}, such as \`${region}a\``);
    if (zones.indexOf(zone) < index) refuse([...path, String(index)], 'must be another zone than those before it');
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
  // Functions look for secrets and keys in their own region and account only.
  for (const field of ['secretArn', 'secretKeyArn'] as const) {
    const [, , , ownRegion, ownAccount] = settings[field]?.split(':') ?? [];
    if (ownRegion === undefined) continue;
    if (ownRegion !== config.region) refuse(['databases', name, field], `must be in ${config.region}`);
    if (ownAccount !== config.account) {
      refuse(['databases', name, field], `must be in account ${config.account}, whose functions read it`);
    }
  }
  refuseRecovery(name, config, refuse);
  const network = config.existingNetwork ?? DATABASE_NAMES.some((each) => config.databases[each].kind === 'create');
  if (settings.rotation && !network) {
    refuse(['databases', name, 'rotation'], 'must be false without a network, in which the function would run');
  }
  if (settings.securityGroupId !== undefined && !network) {
    refuse(['databases', name, 'securityGroupId'], 'must be left out without a network: it has no functions to admit');
  }
}

/** Whether both settings name one database of one server. */
function isSameDatabase({ billing, main }: Settings['databases']): boolean {
  if (billing.kind !== 'existing' || main.kind !== 'existing') return false;
  const address = ({ host: name, port, databaseName }: typeof billing) =>
    [name.toLowerCase(), port, databaseName].join(' ');
  return address(billing) === address(main);
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
