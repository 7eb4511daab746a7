import type { Command } from './command';
import type { Value } from './values';

/** `daysBack` is `--days-back`. */
export function kebabCase(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** An option as a usage line shows it: `--days-back <days>`. One that takes several values is repeated. */
export function optionUsage(name: string, { kind, form }: Value<unknown>): string {
  return kind === 'flag' ? kebabCase(name) : `${kebabCase(name)} <${form?.placeholder ?? name}>`;
}

/** An argument as a usage line shows it: `<database>`, `[event...]`. */
export function argumentUsage(name: string, { kind, required, form }: Value<unknown>): string {
  const inner = `${form?.placeholder ?? name}${kind === 'many' ? '...' : ''}`;
  return required ? `<${inner}>` : `[${inner}]`;
}

/** Summary of a value with the words that it may be. */
export function valueSummary({ summary, form }: Value<unknown>): string {
  return form?.choices === undefined ? summary : `${summary} (${form.choices.join(', ')})`;
}

/** The line that shows how a command is called: `ops restore <database> --into <name> [options]`. */
export function commandUsage({ name, arguments: parameters, options }: Command): string {
  const required = Object.entries(options).filter(([, value]) => value.required);
  return [
    `ops ${name}`,
    ...Object.entries(parameters).map(([key, value]) => argumentUsage(key, value)),
    ...required.map(([key, value]) => optionUsage(key, value)),
    '[options]',
  ].join(' ');
}
