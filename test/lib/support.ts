import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import type { EnvironmentConfig } from '../../lib/config/environment-schema';
import {
  localEnvironment,
  REHEARSAL_TARGET,
  rehearsalEnvironment,
  type LocalEnvironmentOptions,
  type RunningDatabasesOptions,
} from '../../lib/config/built-environments';
import {
  adoptingEnvironment,
  bitcoinEnvironment,
  EXAMPLES,
  exampleEnvironment,
  movingEnvironment,
  ownNetworkEnvironment,
} from '../support/example-environments';
import { TEMPLATE_FOLDER_VARIABLE } from '../support/services';

/** The stem of every function. */
export const ALL_FUNCTIONS = readdirSync(path.resolve(__dirname, '../../lambdas')).toSorted();
/** Functions that an environment has only where its settings ask for them. */
const OPTIONAL_FUNCTIONS: readonly string[] = ['confirmations', 'move'];
/** The stem of every function that every environment has. */
export const FUNCTIONS = ALL_FUNCTIONS.filter((stem) => !OPTIONAL_FUNCTIONS.includes(stem));

/** A resource as it stands in a template. */
export interface Resource {
  readonly Type: string;
  readonly Properties: Record<string, unknown>;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
  readonly DependsOn?: readonly string[];
}

/** The templates of one environment. */
export interface Synthesised {
  readonly data: Template;
  readonly operations: Template;
  readonly monitoring: Template;
  /** Of the second region, where the environment has one. */
  readonly recovery: Template | undefined;
}

/** Options of a `local` environment. */
export function localOptions(overrides: Partial<LocalEnvironmentOptions> = {}): LocalEnvironmentOptions {
  return { ...runningDatabases('000000000000'), ...overrides };
}

/** Options of a `rehearsal` environment. */
export function rehearsalOptions(): RunningDatabasesOptions {
  return runningDatabases(REHEARSAL_TARGET.account);
}

function runningDatabases(account: string): RunningDatabasesOptions {
  const secretArn = (name: string) => `arn:aws:secretsmanager:eu-central-1:${account}:secret:${name}-AbCdEf`;
  return {
    databases: {
      billing: { host: '127.0.0.1', port: 5433, databaseName: 'billing', secretArn: secretArn('billing') },
      main: { host: '127.0.0.1', port: 5434, databaseName: 'main', secretArn: secretArn('main') },
    },
    stripeApiBase: 'http://127.0.0.1:12111',
  };
}

/** Environments that tests name, beside the examples. */
const BUILT: Readonly<Record<string, () => EnvironmentConfig>> = {
  local: () => localEnvironment(localOptions()),
  rehearsal: () => rehearsalEnvironment(rehearsalOptions()),
  bitcoin: bitcoinEnvironment,
  move: movingEnvironment,
  adopting: adoptingEnvironment,
  'own-network': ownNetworkEnvironment,
  'all-at-once': () => ({ ...exampleEnvironment('production'), gradualDeployments: false }),
};

/** The environments that `npm test` names, the one that most files read first. */
export const NAMED: readonly string[] = [
  'production',
  ...EXAMPLES.filter((name) => name !== 'production'),
  ...Object.keys(BUILT).filter((name) => name !== 'move'),
];

const known = new Map<string, Synthesised>();

/**
 * The templates of a named environment. They are synthesised once per test run and kept in the folder of the global setup,
 * because synthesis takes a second, and loading the framework another.
 */
export function templatesOf(name: string): Synthesised {
  let templates = known.get(name);
  if (templates === undefined) {
    const folder = process.env[TEMPLATE_FOLDER_VARIABLE];
    templates = folder === undefined ? synthesiseNamed(name) : keptIn(path.join(folder, name), name);
    known.set(name, templates);
  }
  return templates;
}

function synthesiseNamed(name: string): Synthesised {
  // Required lazily, because it loads the framework.
  const { synthesise } = require('./synthesise') as typeof import('./synthesise');
  return synthesise((BUILT[name] ?? (() => exampleEnvironment(name)))());
}

/** The templates that a folder keeps, each read when it is asked for. They are synthesised where there is no such folder. */
function keptIn(folder: string, name: string): Synthesised {
  if (!existsSync(folder)) keep(folder, synthesiseNamed(name));
  const templates = new Map<string, Template | undefined>();
  const read = (part: string): Template | undefined => {
    if (!templates.has(part)) {
      const text = readFileSync(path.join(folder, part), 'utf8');
      // That nothing in it depends on itself was found when it was synthesised.
      const unchecked = { skipCyclicalDependenciesCheck: true };
      templates.set(part, text === '' ? undefined : Template.fromJSON(JSON.parse(text) as object, unchecked));
    }
    return templates.get(part);
  };
  return {
    get data() {
      return read('data') as Template;
    },
    get operations() {
      return read('operations') as Template;
    },
    get monitoring() {
      return read('monitoring') as Template;
    },
    get recovery() {
      return read('recovery');
    },
  };
}

/** Writes a folder and renames it, so that another worker never reads half of it. */
function keep(folder: string, templates: Synthesised): void {
  const made = mkdtempSync(`${folder}-`);
  for (const part of ['data', 'operations', 'monitoring', 'recovery'] as const) {
    const template = templates[part];
    writeFileSync(path.join(made, part), template === undefined ? '' : JSON.stringify(template.toJSON()));
  }
  try {
    renameSync(made, folder);
  } catch (error) {
    // Unless another worker was faster.
    if (!existsSync(folder)) throw error;
  }
}

export function resourcesOf(template: Template, type?: string): Record<string, Resource> {
  const resources = (template.toJSON() as { Resources: Record<string, Resource> }).Resources;
  return Object.fromEntries(Object.entries(resources).filter(([, { Type }]) => type === undefined || Type === type));
}

/** The one resource of a type whose logical id contains a word. */
export function resourceLike(template: Template, type: string, word: string): Resource {
  const found = Object.entries(resourcesOf(template, type)).filter(([id]) => id.includes(word));
  const only = found[0];
  if (found.length !== 1 || !only) throw new Error(`Expected one ${type} like ${word}, found ${found.length}`);
  return only[1];
}

/**
 * The expected reference of an alarm to a queue of the Operations stack: a parameter of the Monitoring template that reads
 * the name from Systems Manager, where Operations stores it.
 *
 * @param word part of the logical id of the queue
 */
export function queueByParameter({ operations, monitoring }: Synthesised, queue: string, word: string): unknown {
  const stored = Object.values(resourcesOf(operations, 'AWS::SSM::Parameter')).find(({ Properties }) =>
    JSON.stringify(Properties.Value).includes(word),
  );
  const { Name: name } = stored?.Properties ?? {};
  if (typeof name !== 'string' || !name.endsWith(`/${queue}-queue`)) throw new Error(`No parameter names ${word}`);
  const { Parameters = {} } = monitoring.toJSON() as {
    Parameters?: Record<string, { Type: string; Default?: string }>;
  };
  const [parameter] = Object.entries(Parameters).filter(
    ([, { Type, Default }]) => Type === 'AWS::SSM::Parameter::Value<String>' && Default === name,
  );
  if (!parameter) throw new Error(`Monitoring does not read ${name}`);
  return { Ref: parameter[0] };
}
