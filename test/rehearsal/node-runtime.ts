import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Major version of Node that the functions are deployed for. */
const RUNTIME = 24;

/**
 * Makes the `node` that runs the deployed functions: this process's own, which `npm run` starts with the version of the
 * runtime. As in the runtime, the authorities of the databases' certificates are a file of the machine, so its path in the
 * functions' settings gives way to where that file is here.
 *
 * @returns the folder to put first on the path
 * @throws Error when this is another version
 */
export function makeNodeRuntime(directory: string, caFile: string): string {
  const version = Number(process.versions.node.split('.')[0]);
  if (version !== RUNTIME) {
    throw new Error(`The functions run on Node ${RUNTIME}, this is ${process.versions.node}: use npm run test:deploy`);
  }
  const folder = path.join(directory, 'runtime');
  mkdirSync(folder, { recursive: true });
  const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
  const script = [
    '#!/bin/sh',
    `export NODE_EXTRA_CA_CERTS=${quoted(caFile)}`,
    `exec ${quoted(process.execPath)} "$@"`,
    '',
  ].join('\n');
  writeFileSync(path.join(folder, 'node'), script, { mode: 0o755 });
  return folder;
}
