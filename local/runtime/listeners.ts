import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A listening TCP socket. */
export interface Listener {
  /** As the kernel writes it: hexadecimal, in the machine's byte order. */
  readonly rawAddress: string;
  readonly port: number;
  readonly loopback: boolean;
  readonly inode: string;
}

const LISTEN = '0A';
/** 127.0.0.0/8 ends in 7F on a little-endian machine, which every platform of ours is; then ::1, and 127/8 mapped. */
const LOOPBACK_PATTERN = /^(?:.{6}7F|0{24}01000000|0{16}FFFF0000.{6}7F)$/;

/** Every listening TCP socket of this machine. Linux only: elsewhere undefined. */
function allListeners(): Listener[] | undefined {
  if (process.platform !== 'linux') return undefined;
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) => {
    let lines: string[];
    try {
      lines = readFileSync(table, 'utf8').trim().split('\n').slice(1);
    } catch {
      // No such table: the kernel has no IPv6.
      return [];
    }
    return lines.flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const [rawAddress = '', port = ''] = (fields[1] ?? '').split(':');
      if (fields[3] !== LISTEN) return [];
      const loopback = LOOPBACK_PATTERN.test(rawAddress);
      return [{ rawAddress, port: Number.parseInt(port, 16), loopback, inode: fields[9] ?? '' }];
    });
  });
}

/** Answers undefined where `read` throws: processes end and files are closed while they are looked at. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Inodes of a process's sockets; none when the process ended or belongs to another user. */
function socketsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return (attempt(() => readdirSync(folder)) ?? []).flatMap((fd) => {
    const target = attempt(() => readlinkSync(`${folder}/${fd}`)) ?? '';
    return /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? [];
  });
}

/** The listening sockets of these processes; undefined where the operating system does not report them. */
export function listenersOf(pids: readonly number[]): Listener[] | undefined {
  const own = new Set(pids.flatMap(socketsOf));
  return allListeners()?.filter(({ inode }) => own.has(inode));
}

/** The process that listens on a port; undefined when there is none or it belongs to another user. */
export function processOnPort(port: number): number | undefined {
  const taken = new Set(allListeners()?.flatMap((listener) => (listener.port === port ? [listener.inode] : [])));
  if (taken.size === 0) return undefined;
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).find((pid) => socketsOf(pid).some((inode) => taken.has(inode)));
}
