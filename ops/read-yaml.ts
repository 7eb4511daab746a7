import { parse } from 'yaml';

/**
 * The value of a YAML text. A module of its own to be loaded when it is needed: of a package of the CommonJS kind, a bundle that is split
 * has no names to import dynamically.
 *
 * @throws YAMLParseError where it is none
 */
export function readYaml(text: string): unknown {
  return parse(text);
}
