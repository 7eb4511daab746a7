import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
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
import { bitcoinEnvironment, exampleEnvironment, movingEnvironment } from '../support/example-environments';
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

function environmentOf(name: string): EnvironmentConfig {
  if (name === 'local') return localEnvironment(localOptions());
  if (name === 'bitcoin') return bitcoinEnvironment();
  if (name === 'move') return movingEnvironment();
  return name === 'rehearsal' ? rehearsalEnvironment(rehearsalOptions()) : exampleEnvironment(name);
}

const known = new Map<string, Synthesised>();

/**
 * The templates of a named environment. They are synthesised once per test run and kept in the folder of the global setup,
 * because synthesis takes a second, and loading the framework another.
 */
export function templatesOf(name: string): Synthesised {
  const folder = process.env[TEMPLATE_FOLDER_VARIABLE];
  const kept = folder === undefined ? undefined : path.join(folder, `${name}.json`);
  const templates = known.get(name) ?? (kept !== undefined && existsSync(kept) ? read(kept) : synthesiseNamed(name));
  known.set(name, templates);
  if (kept !== undefined && !existsSync(kept)) keep(kept, templates);
  return templates;
}

function synthesiseNamed(name: string): Synthesised {
  // Required lazily, because it loads the framework.
  const { synthesise } = require('./synthesise') as typeof import('./synthesise');
  return synthesise(environmentOf(name));
}

type Content = Readonly<Record<keyof Synthesised, Record<string, unknown> | undefined>>;

function read(file: string): Synthesised {
  const content = JSON.parse(readFileSync(file, 'utf8')) as Content;
  const template = (part: keyof Synthesised) => Template.fromJSON(content[part] ?? {});
  return {
    data: template('data'),
    operations: template('operations'),
    monitoring: template('monitoring'),
    recovery: content.recovery && Template.fromJSON(content.recovery),
  };
}

/** Writes a temporary file and renames it, so that another worker never reads half a file. */
function keep(file: string, { data, operations, monitoring, recovery }: Synthesised): void {
  const content: Content = {
    data: data.toJSON(),
    operations: operations.toJSON(),
    monitoring: monitoring.toJSON(),
    recovery: recovery?.toJSON(),
  };
  writeFileSync(`${file}.${process.pid}`, JSON.stringify(content));
  renameSync(`${file}.${process.pid}`, file);
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
