import { spawn } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';

/** Ends the processes of a rehearsal that was killed, and removes its folder. */
export interface Watchdog {
  /** A group of processes to end. */
  watch(group: number): void;
  /** To be called once everything is cleaned up in order. */
  dismiss(): void;
}

/** Reads until the rehearsal's end of the pipe closes, because it was killed or crashed. Then cleans up for it. */
const SCRIPT = `
cat > /dev/null
while read -r group; do kill -KILL "-$group" 2> /dev/null; done < "$1/groups"
rm -rf "$1"
`;

/** @param directory of the rehearsal: removed when the rehearsal was killed */
export function startWatchdog(directory: string): Watchdog {
  const groups = openSync(path.join(directory, 'groups'), 'a', 0o600);
  const child = spawn('sh', ['-c', SCRIPT, 'watchdog', directory], {
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
    // Ctrl-C in the terminal, or the end of its session, must not end it first.
    detached: true,
  });
  child.unref();
  child.stdin.on('error', () => undefined);
  return {
    watch: (group) => void writeSync(groups, `${group}\n`),
    dismiss() {
      closeSync(groups);
      child.kill('SIGKILL');
    },
  };
}
