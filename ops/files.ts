import {
  accessSync,
  closeSync,
  constants,
  lstatSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { CommandError } from './errors';

const IS_FOLDER = 'this is a folder: name a file in it';
const UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file: check the path and the current folder',
  ENOTDIR: 'there is no such file: check the path and the current folder',
  EISDIR: IS_FOLDER,
  EACCES: 'you may not read it: check its permissions',
};

/** Why a file that the command line names cannot be read, and what to do. */
export function whyUnreadable(cause: unknown): string {
  const { code = '', message } = cause as NodeJS.ErrnoException;
  return UNREADABLE[code] ?? message;
}

/**
 * Reads a text file that the command line names.
 *
 * @param option that names it, such as `--from`; none for an argument
 * @throws CommandError `usage` that says how to name one that can be read
 */
export function readNamedFile(file: string, option?: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const named = option === undefined ? file : `${option} ${file}`;
    throw new CommandError('usage', `${named}: ${whyUnreadable(cause)}`, { cause });
  }
}

/**
 * Checks that a new file can be written, before the work for it is done. Makes none: a command that is killed would leave it.
 *
 * @throws CommandError `usage`
 */
export function assertNewFile(file: string, option: string): void {
  try {
    // The dot has a file in place of the folder refused.
    accessSync(`${path.dirname(file)}${path.sep}.`, constants.W_OK);
  } catch (cause) {
    throw unwritable(file, option, cause);
  }
  if (lstatSync(file, { throwIfNoEntry: false }) !== undefined) throw unwritable(file, option, { code: 'EEXIST' });
  if (file.endsWith(path.sep)) throw unwritable(file, option, { code: 'EISDIR' });
}

/**
 * Writes a file that must not exist, readable by its owner alone.
 *
 * @param option that names it, such as `--to`
 * @throws CommandError `usage` that says how to name one that can be written
 */
export function writeNewFile(file: string, content: string, option: string): void {
  let opened: number;
  try {
    opened = openSync(file, 'wx', 0o600);
  } catch (cause) {
    throw unwritable(file, option, cause);
  }
  try {
    writeFileSync(opened, content);
  } catch (cause) {
    // A part of it, as on a full disk, would pass for the whole.
    rmSync(file);
    throw cause;
  } finally {
    closeSync(opened);
  }
}

function unwritable(file: string, option: string, cause: unknown): CommandError {
  const { code = '', message } = cause as NodeJS.ErrnoException;
  const folder = path.dirname(file);
  const isFolder = code === 'EEXIST' && statSync(file, { throwIfNoEntry: false })?.isDirectory() === true;
  const reasons: Readonly<Record<string, string>> = {
    EEXIST: isFolder ? IS_FOLDER : 'the file exists, and is not overwritten: name another, or remove it',
    EISDIR: IS_FOLDER,
    ENOENT: `there is no folder ${folder}: make it, or name another`,
    ENOTDIR: `${folder} is not a folder: name another`,
    EACCES: `you may not write in ${folder}: name another folder`,
    EROFS: `${folder} is read-only: name another folder`,
  };
  return new CommandError('usage', `${option} ${file}: ${reasons[code] ?? message}`, { cause });
}
