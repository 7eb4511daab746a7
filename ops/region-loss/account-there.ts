import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ENVIRONMENT_FILE, ENVIRONMENT_FOLDER } from '../../core/contract';
import type { Context } from '../context';
import { type Finding, good, judged, wrong } from '../doctor/finding';
import { environmentNames, ENVIRONMENTS_VARIABLE } from '../environment-names';
import type { SecondRegion } from './place';

/** Instances that a recovery makes: two databases, and the replica for analytics. */
const INSTANCES = 3;

/** Where an environment is, by its file. */
interface Settings {
  readonly name: string;
  readonly region: string;
}

/** Whether the checkout has the settings of an environment that would take the place of the lost one. */
export async function checkConfiguration({ region, target }: SecondRegion, into: string | undefined): Promise<Finding> {
  const check = 'configuration';
  const names = environmentNames(process.env);
  if (names.length === 0) {
    const detail = `no ${ENVIRONMENT_FOLDER}/ in the current folder: ask in the checkout`;
    return { check, state: 'skipped', detail, fix: null };
  }
  const found = await settingsIn(process.env[ENVIRONMENTS_VARIABLE] ?? ENVIRONMENT_FOLDER);
  const there = found.filter((each) => each.region === region && each.name !== target.environment);
  const fix = `copy ${ENVIRONMENT_FOLDER}/${target.environment}.yaml to ${into ?? 'a new name'}.yaml with region: ${region}, its zones, and no secondRegion or a third one`;
  if (into === undefined) {
    return judged(
      check,
      there.length > 0,
      there.map(({ name }) => `${name} is for ${region}`).join(', ') || `no file is for ${region}`,
      fix,
    );
  }
  const chosen = found.find(({ name }) => name === into);
  if (chosen?.region === region) return good(check, `${into} is for ${region}`);
  return wrong(check, chosen === undefined ? `there is no ${into}` : `${into} is for ${chosen.region}`, fix);
}

async function settingsIn(folder: string): Promise<Settings[]> {
  const { readYaml } = await import('../read-yaml');
  return readdirSync(folder).flatMap((file) => {
    const name = ENVIRONMENT_FILE.exec(file)?.[1];
    if (name === undefined || name === 'schema') return [];
    // What else is wrong with the settings, synthesis says.
    const settings = readYaml(readFileSync(path.join(folder, file), 'utf8')) as { readonly region?: unknown } | null;
    return typeof settings?.region === 'string' ? [{ name, region: settings.region }] : [];
  });
}

/** Whether the account has there what it has in the first region, and room for the instances. */
export async function checkQuotas(
  context: Context,
  place: SecondRegion,
  { withoutFirst }: { readonly withoutFirst: boolean },
): Promise<Finding[]> {
  const { GetAccountSettingsCommand } = await import('@aws-sdk/client-lambda');
  const { DescribeAccountAttributesCommand } = await import('@aws-sdk/client-rds');
  const concurrencyOf = async (clients: Context['clients']): Promise<number> => {
    const { AccountLimit } = await (await clients.lambda()).send(new GetAccountSettingsCommand({}));
    return AccountLimit?.ConcurrentExecutions ?? 0;
  };
  const there = await concurrencyOf(place.clients);
  const here = withoutFirst ? undefined : await concurrencyOf(context.clients);
  const { AccountQuotas: quotas = [] } = await (
    await place.clients.rds()
  ).send(new DescribeAccountAttributesCommand({}));
  const { Used: used = 0, Max: most = 0 } =
    quotas.find(({ AccountQuotaName }) => AccountQuotaName === 'DBInstances') ?? {};
  return [
    judged(
      'concurrency of Lambda',
      here === undefined || there >= here,
      `${there} in ${place.region}${here === undefined ? '' : `, ${here} in the first region`}`,
      `ask AWS for ${here ?? 'more'} in ${place.region}: Service Quotas, Lambda, concurrent executions`,
    ),
    judged(
      'instances of RDS',
      most - used >= INSTANCES,
      `${used} of ${most} are used in ${place.region}, and a recovery makes up to ${INSTANCES}`,
      `ask AWS for more in ${place.region}: Service Quotas, RDS, DB instances`,
    ),
  ];
}
