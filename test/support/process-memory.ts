import { readdirSync, readFileSync } from 'node:fs';

/** Pid of this process's child that runs a script. */
export function childRunning(script: string): number {
  const children = readdirSync('/proc/self/task').flatMap((task) =>
    readFileSync(`/proc/self/task/${task}/children`, 'utf8').trim().split(' '),
  );
  const found = children.find((pid) => pid !== '' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(script));
  if (found === undefined) throw new Error(`No child process runs ${script}`);
  return Number(found);
}

/** The most memory that a process has had, in MiB. */
export function peakMib(pid: number): number {
  return statusMib(pid, 'VmHWM');
}

/** A field of a process's status, in MiB. */
export function statusMib(pid: number, field: string): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Math.round(Number(match?.[1] ?? 0) / 1024);
}
