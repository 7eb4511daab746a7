import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import { createApp } from '../../lib/app';
import type { EnvironmentConfig } from '../../lib/config/environment-schema';
import {
  deployedEnvironment,
  localEnvironment,
  rehearsalEnvironment,
  type LocalEnvironmentOptions,
} from '../../lib/config/environments';
import type { Bundle } from '../../lib/operations/bundles';

export const FUNCTIONS = [
  'backup',
  'cleanup',
  'collector',
  'drill',
  'entitlements',
  'migrate',
  'processor',
  'reconciliation',
  'replay',
  'reset-password',
  'restore',
  'rows',
  'verify',
  'webhook',
];

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

/** Code that is never run: these tests look at templates only. */
export function stubBundles(): Bundle[] {
  const root = mkdtempSync(path.join(tmpdir(), 'stub-bundles-'));
  return FUNCTIONS.map((name) => {
    const folder = path.join(root, name);
    mkdirSync(folder);
    writeFileSync(path.join(folder, 'index.js'), `exports.handler = () => '${name}';\n`);
    return { name, folder, bytes: 0 };
  });
}

/** Of the databases that a `local` environment is handed. */
export function localOptions(overrides: Partial<LocalEnvironmentOptions> = {}): LocalEnvironmentOptions {
  const secretArn = (name: string) => `arn:aws:secretsmanager:eu-central-1:000000000000:secret:${name}-AbCdEf`;
  return {
    databases: {
      billing: { host: '127.0.0.1', port: 5433, databaseName: 'billing', secretArn: secretArn('billing') },
      main: { host: '127.0.0.1', port: 5434, databaseName: 'main', secretArn: secretArn('main') },
    },
    stripeApiBase: 'http://127.0.0.1:12111',
    ...overrides,
  };
}

export function synthesise(config: EnvironmentConfig): Synthesised {
  const app = createApp([config], { bundles: stubBundles(), context: { 'aws:cdk:bundling-stacks': [] } });
  const assembly = app.synth();
  const template = (part: string) =>
    Template.fromJSON(assembly.getStackByName(`BillingOps-${config.name}-${part}`).template as Record<string, unknown>);
  return {
    data: template('Data'),
    operations: template('Operations'),
    monitoring: template('Monitoring'),
    recovery: config.secondRegion === undefined ? undefined : template('Recovery'),
  };
}

function environmentOf(name: string): EnvironmentConfig {
  if (name === 'local') return localEnvironment(localOptions());
  return name === 'rehearsal' ? rehearsalEnvironment(localOptions()) : deployedEnvironment(name);
}

const synthesised = new Map<string, Synthesised>();

/** The templates of a named environment, synthesised once for each test file. */
export function templatesOf(name: string): Synthesised {
  const known = synthesised.get(name);
  if (known) return known;
  const made = synthesise(environmentOf(name));
  synthesised.set(name, made);
  return made;
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
 * How an alarm has to name a queue of the Operations stack: by a parameter of its template that is read from Systems
 * Manager, where Operations puts the name of the queue whose logical id contains a word.
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
  const [read] = Object.entries(Parameters).filter(
    ([, { Type, Default }]) => Type === 'AWS::SSM::Parameter::Value<String>' && Default === name,
  );
  if (!read) throw new Error(`Monitoring does not read ${name}`);
  return { Ref: read[0] };
}
