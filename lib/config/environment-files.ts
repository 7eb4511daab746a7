import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { isNode, LineCounter, parseDocument } from 'yaml';
import { ENVIRONMENT_FILE, ENVIRONMENT_NAME } from '../../core/contract';
import { checkEnvironment, type EnvironmentConfig, type Problem } from './environment-schema';

/** Names that mean something else: `npm start`, the rehearsal in an emulator, and every environment at once. */
const RESERVED = ['local', 'rehearsal', 'all'];

/** One file with the settings of one environment. */
export interface EnvironmentFile {
  /** Name of the environment: that of the file, without its ending. */
  readonly name: string;
  /** As it is shown: relative to where the command runs. */
  readonly file: string;
}

/**
 * The files of a folder that describe environments, by name.
 *
 * @throws Error when there is no such folder, or a name cannot be that of an environment
 */
export function environmentFiles(folder: string): EnvironmentFile[] {
  const shown = path.relative(process.cwd(), folder) || '.';
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new Error(`${shown} is no folder: it holds one file for each environment, as examples/ does`);
  }
  const found = new Map<string, EnvironmentFile>();
  for (const entry of readdirSync(folder).toSorted()) {
    const name = ENVIRONMENT_FILE.exec(entry)?.[1];
    // The schema that editors read.
    if (name === undefined || entry === 'schema.json') continue;
    const file = path.join(shown, entry);
    const other = found.get(name);
    if (other) throw new Error(`${file} and ${other.file} describe one environment: remove one of them`);
    if (!ENVIRONMENT_NAME.test(name) || RESERVED.includes(name)) {
      const form = '1–14 lower-case letters, digits and single `-`, starting with a letter';
      throw new Error(`${file}: name it ${form}, and not ${RESERVED.join(', ')}: it is the environment's name`);
    }
    found.set(name, { name, file });
  }
  return [...found.values()];
}

/**
 * The settings of a file, unchecked.
 *
 * @throws Error with the line where the file is no YAML, or holds something else than settings
 */
export function readSettings(file: string): Readonly<Record<string, unknown>> {
  return parse(file).settings;
}

/**
 * The environment of a file, checked and complete.
 *
 * @throws Error with one line for each problem: file, line, field, its form and its value
 */
export function readEnvironment({ name, file }: EnvironmentFile): EnvironmentConfig {
  const { settings, lineOf } = parse(file);
  if ('name' in settings) {
    throw new Error(`${file}:${lineOf(['name'])}: leave \`name\` out: the file's name is the environment's`);
  }
  const checked = checkEnvironment({ ...settings, name });
  if ('config' in checked) return checked.config;
  throw new Error(
    checked.problems.map((problem: Problem) => `${file}:${lineOf(problem.path)}: ${problem.text}`).join('\n'),
  );
}

interface Parsed {
  readonly settings: Readonly<Record<string, unknown>>;
  /** The line of a setting, or of the closest group around it where the setting is left out. */
  readonly lineOf: (path: readonly string[]) => number;
}

function parse(file: string): Parsed {
  const lines = new LineCounter();
  const document = parseDocument(readFileSync(file, 'utf8'), { lineCounter: lines });
  const line = (offset: number) => lines.linePos(offset).line;
  if (document.errors.length > 0) {
    const problems = document.errors.map(({ message, pos }) => `${file}:${line(pos[0])}: ${message.split('\n', 1)[0]}`);
    throw new Error(problems.join('\n'));
  }
  const settings: unknown = document.toJS();
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) {
    throw new Error(`${file}: must hold settings, such as \`region: eu-central-1\`; examples/ has whole files`);
  }
  return {
    settings: settings as Record<string, unknown>,
    lineOf: (wanted) => {
      for (let length = wanted.length; length > 0; length -= 1) {
        const node = document.getIn(wanted.slice(0, length), true);
        if (isNode(node) && node.range) return line(node.range[0]);
      }
      return 1;
    },
  };
}
