import { settingsJsonSchema } from '../../lib/config/environment-schema';

/** What this page reads of a JSON schema. */
interface Shape {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly oneOf?: readonly Shape[];
  readonly anyOf?: readonly Shape[];
}

interface Row {
  readonly setting: string;
  readonly form: string;
  readonly description: string;
}

/** The text of `docs/environments.md`. */
export function environmentsPage(): string {
  const { properties, required } = settingsJsonSchema() as Shape;
  const { databases, ...others } = properties ?? {};
  const [created, existing] = databases?.properties?.billing?.oneOf ?? [];
  return `# Settings of an environment

One file for each environment, \`environments/<name>.yaml\` (or \`.yml\`, \`.json\`), of which the name is the environment's: 1–14
lower-case letters, digits and \`-\`. Any number, several of them productions, in one account or several. Copy one of
[examples/](../examples), which only updates of this repository change; nothing of it reads your files but \`cdk\` and \`ops\`.
They may also be in a repository of your own: \`-c environments=<folder>\` for \`cdk\`, \`OPS_ENVIRONMENTS\` for \`ops\`.

[\`schema.json\`](../environments/schema.json) has editors complete and explain settings, by the first line of the examples.
A wrong file stops the synthesis with the line, the field, its form and its value.

\`*\` marks what has to be there. With \`size\`, of the databases only what differs from [its values](costs.md#sizes).

${table(Object.entries(others).flatMap(([name, shape]) => rowsOf(name, shape, required?.includes(name) ?? false)))}

## Databases

\`databases.billing\` and \`databases.main\`, each to be created,

${table(rowsIn(created ?? {}))}

or one that exists:

${table(rowsIn(existing ?? {}))}

This page is made by \`npx tsx test/docs/write-environments.ts\`; a test keeps it equal to the settings.
`;
}

function rowsIn(shape: Shape, prefix = ''): Row[] {
  return Object.entries(shape.properties ?? {}).flatMap(([name, inner]) =>
    rowsOf(`${prefix}${name}`, inner, shape.required?.includes(name) ?? false),
  );
}

function rowsOf(name: string, shape: Shape, isRequired: boolean): Row[] {
  const row = {
    setting: `\`${name}\`${isRequired ? ' *' : ''}`,
    form: formOf(shape),
    description: shape.description ?? '',
  };
  return [row, ...rowsIn(shape, `${name}.`)];
}

function formOf({ type, minimum, maximum, default: preset, ...shape }: Shape): string {
  const values = shape.const === undefined ? shape.enum : [shape.const];
  const numbers = minimum === undefined ? undefined : `${minimum}–${maximum}`;
  const form = values?.map((value) => `\`${String(value)}\``).join(', ') ?? numbers ?? NAMES[type ?? ''] ?? 'text';
  const isShown = typeof preset === 'boolean' || typeof preset === 'number' || typeof preset === 'string';
  return isShown ? `${form}; else \`${preset}\`` : form;
}

const NAMES: Readonly<Record<string, string>> = { boolean: 'true, false', array: 'list', object: 'group' };

function table(rows: readonly Row[]): string {
  const lines = rows.map(({ setting, form, description }) => `| ${setting} | ${form} | ${description} |`);
  return ['| setting | form | says |', '| --- | --- | --- |', ...lines].join('\n');
}
