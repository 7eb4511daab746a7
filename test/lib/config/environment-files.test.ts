import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { environmentFiles } from '../../../lib/config/environment-files';
import { environmentJsonSchema, type EnvironmentConfig } from '../../../lib/config/environment-schema';
import { selectEnvironments, type Selection } from '../../../lib/config/select-environments';
import { EXAMPLE_FOLDER, EXAMPLES, exampleEnvironment } from '../../support/example-environments';

const example = (name: string) => readFileSync(path.join(EXAMPLE_FOLDER, `${name}.yaml`), 'utf8');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'environments-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (file: string, text: string) => writeFileSync(path.join(folder, file), text);
const select = (selected: string | undefined, rest: Selection = {}) =>
  selectEnvironments({ selected, folder, ...rest }).map(({ name }) => name);
/** A domain in `eu-central-1`. */
const DOMAIN = `domain: { name: b.example.com, certificateArn: 'arn:aws:acm:eu-central-1:111111111111:certificate/1', hostedZone: external }
`;
/** The example `dev` with a main database that exists. */
const withMain = (host: string, account = '111111111111') =>
  example('dev')
    .replace(
      /^databases:[\s\S]*/m,
      `databases:
  main:
    { kind: existing, host: ${host}, port: 5432, databaseName: shop, allocatedStorageGiB: 20,
      secretArn: 'arn:aws:secretsmanager:eu-central-1:111111111111:secret:shop-AbCdEf' }
`,
    )
    .replaceAll('111111111111', account);
/** The message of the refusal, with the folder left out. */
function refusal(selected: string | undefined, rest: Selection = {}): string {
  try {
    select(selected, rest);
  } catch (error) {
    return (error as Error).message.replaceAll(`${path.relative(process.cwd(), folder)}/`, '').replaceAll(folder, 'F');
  }
  throw new Error('Nothing was refused');
}

describe('the examples', () => {
  test('are all there is in their folder, each valid and in an allowed region', () => {
    expect(environmentFiles(EXAMPLE_FOLDER).map(({ name }) => name)).toEqual(EXAMPLES.toSorted());
    for (const name of EXAMPLES) {
      const { allowedRegions, region } = exampleEnvironment(name);
      expect(allowedRegions).toContain(region);
    }
  });

  test('protect data everywhere except in dev, and accept live events in production only', () => {
    const settings = ({ name, removalProtection, stripe }: EnvironmentConfig) => [
      name,
      removalProtection,
      stripe.livemode,
    ];
    expect(EXAMPLES.map(exampleEnvironment).map(settings)).toEqual([
      ['dev', false, false],
      ['staging', true, false],
      ['production', true, true],
    ]);
  });

  test('are in accounts of their own', () => {
    expect(new Set(EXAMPLES.map((name) => exampleEnvironment(name).account)).size).toBe(EXAMPLES.length);
  });
});

test('the schema that editors read is that of the settings; npx tsx test/lib/config/write-schema.ts writes it again', () => {
  const written = readFileSync(path.resolve(__dirname, '../../../environments/schema.json'), 'utf8');
  expect(JSON.parse(written)).toEqual(environmentJsonSchema());
});

describe('-c env=', () => {
  test('that is left out is refused, because it would deploy everything', () => {
    write('dev.yaml', example('dev'));
    write('prod-eu.yaml', example('production'));
    expect(refusal(undefined)).toBe(
      'No environment is named: add one of -c env=dev, -c env=prod-eu; -c env=all only checks all of them',
    );
  });

  test('names one file, whatever its name and ending, or all of them to be checked', () => {
    write('dev.yaml', example('dev'));
    write('prod-eu.yml', example('production'));
    write('prod-us.json', JSON.stringify({ ...exampleEnvironment('staging'), name: undefined }));
    write('schema.json', '{}');
    write('README.md', 'not an environment');
    expect(select('prod-eu')).toEqual(['prod-eu']);
    expect(select('all')).toEqual(['dev', 'prod-eu', 'prod-us']);
  });

  test('that no file has is refused with those that there are', () => {
    write('dev.yaml', example('dev'));
    expect(refusal('prod')).toBe('environment `prod` does not exist: expected one of -c env=dev');
  });

  test('without any file is refused with how to make one', () => {
    expect(refusal('dev')).toBe(
      'F/ describes no environment: copy one of examples/*.yaml there, and put in your account',
    );
  });

  test('with a placeholder account, or another than that of the credentials, is refused as soon as there are some', () => {
    write('dev.yaml', example('dev'));
    expect(refusal('dev', { credentialsAccount: '123456789012' })).toBe(
      'dev.yaml: account 111111111111 is a placeholder: put in yours',
    );
    expect(select('dev', { credentialsAccount: '111111111111' })).toEqual(['dev']);
    write('dev.yaml', example('dev').replace('111111111111', '210987654321'));
    expect(refusal('dev', { credentialsAccount: '123456789012' })).toBe(
      'dev.yaml: account is 210987654321, and the credentials are of account 123456789012: use those of 210987654321',
    );
  });

  test('with the domain or a database of another file is refused, and a file that is wrong in itself is no hindrance', () => {
    write('eu.yaml', withMain('db.example.com'));
    write('us.yaml', withMain('DB.example.com'));
    write('wrong.yaml', 'databases: [');
    expect(refusal('eu')).toBe(
      'environments `eu` and `us` both have the database shop of db.example.com:5432: one of them would write over the other; give one of them its own',
    );
    write('us.yaml', withMain('other.example.com'));
    expect(select('eu')).toEqual(['eu']);
    for (const file of ['eu.yaml', 'us.yaml']) write(file, `${example('dev')}${DOMAIN}`);
    expect(refusal('us')).toContain('environments `us` and `eu` both have the domain b.example.com');
  });

  test('with names that mean something else in another region or network is accepted, and an instance of RDS never', () => {
    const paris = (text: string) => text.replaceAll('eu-central-1', 'eu-west-3');
    // The copy for a second region, which takes the domain over where the first is lost.
    write('prod.yaml', example('dev') + DOMAIN);
    write('prod2.yaml', paris(example('dev') + DOMAIN));
    expect(select('all')).toEqual(['prod', 'prod2']);
    write('prod2.yaml', withMain('db.internal', '210987654321'));
    write('prod.yaml', withMain('db.internal'));
    expect(select('prod')).toEqual(['prod']);
    const host = 'shop.abc123.eu-central-1.rds.amazonaws.com';
    write('prod2.yaml', withMain(host, '210987654321'));
    write('prod.yaml', withMain(host));
    expect(refusal('prod')).toContain(`both have the database shop of ${host}:5432`);
  });

  test('does not read the other files, whose mistakes stop only their own environment', () => {
    write('dev.yaml', example('dev'));
    write('prod.yaml', 'region: nowhere');
    expect(select('dev')).toEqual(['dev']);
    expect(refusal('all')).toContain('prod.yaml:1: region must be a region such as');
  });
});

describe('a file', () => {
  test.each([
    [
      'a wrong value',
      'proxy: true',
      'proxy: "no"',
      'dev.yaml:19: databases.billing.proxy must be true or false, got "no"',
    ],
    [
      'an account that YAML reads as a number',
      "account: '111111111111'",
      'account: 111111111111',
      'dev.yaml:4: account must be the 12 digits of an AWS account, in quotes, got 111111111111',
    ],
    [
      'a zone that is none',
      '[eu-central-1a, eu-central-1b,',
      '[eu-central-1a, eu-central-1f1,',
      'dev.yaml:6: availabilityZones.1 must be a zone of eu-central-1, such as `eu-central-1a`, got "eu-central-1f1"',
    ],
    [
      'a misspelt setting',
      'logLevel: DEBUG',
      'loglevel: DEBUG',
      'dev.yaml:11: config: unknown setting loglevel (did you mean logLevel?)',
    ],
    [
      'a setting that is left out',
      'region: eu-central-1\n',
      '',
      'dev.yaml:1: region must be a region such as `eu-central-1`, got nothing',
    ],
    ['a name', 'region:', 'name: dev\nregion:', "dev.yaml:5: leave `name` out: the file's name is the environment's"],
    [
      'a setting twice',
      'region:',
      'region: eu-west-1\nregion:',
      'dev.yaml:6: Map keys must be unique at line 6, column 1:',
    ],
  ])('with %s is refused by file, line, field and form', (_, text, wrong, problem) => {
    write('dev.yaml', example('dev').replace(text, wrong));
    expect(refusal('dev').split('\n')).toContain(problem);
  });

  test('that is empty is refused', () => {
    write('dev.yaml', '');
    expect(refusal('dev')).toBe(
      'dev.yaml: must hold settings, such as `region: eu-central-1`; examples/ has whole files',
    );
  });

  test.each(['Prod.yaml', 'a-name-that-is-long.yaml', 'local.yaml', 'all.json', 'prod_eu.yaml'])(
    'with the name %s is refused',
    (file) => {
      write(file, example('dev'));
      expect(refusal('all')).toBe(
        `${file}: name it 1–14 lower-case letters, digits and single \`-\`, starting with a letter, and not local, rehearsal, all: it is the environment's name`,
      );
    },
  );

  test('beside another of the same environment is refused', () => {
    write('dev.yaml', example('dev'));
    write('dev.json', '{}');
    expect(refusal('dev')).toBe('dev.yaml and dev.json describe one environment: remove one of them');
  });

  test('whose name begins with that of another in one account and region is refused', () => {
    write('prod.yaml', example('production'));
    write('prod-eu.yaml', example('production'));
    const message =
      /^environments `prod(-eu)?` and `prod(-eu)?` are both in account 333333333333, eu-central-1, and one name begins with the other/;
    for (const selected of ['prod', 'prod-eu', 'all']) expect(refusal(selected)).toMatch(message);
    write('prod-eu.yaml', example('staging'));
    expect(select('prod')).toEqual(['prod']);
  });
});
