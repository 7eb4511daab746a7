import { execFile } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Client } from 'pg';

/** What the server removed while it was copied; the log of changes says what became of it. */
const GONE = /No such file or directory$/;
/** Of the server that runs. */
const NOT_COPIED = ['postmaster.pid', 'postmaster.opts', 'backup_label'];

/**
 * Copies the data folder of a server that runs, by PostgreSQL's low-level backup: a server that is started on the copy replays
 * what was written meanwhile.
 *
 * @param client session of the superuser
 * @returns the content of `backup_label`, which belongs into the copy
 * @throws with the words of `cp`
 */
export async function copyRunning(client: Client, from: string, to: string): Promise<string> {
  // The log of changes is kept from here on, whatever a checkpoint would remove.
  await client.query(`SELECT pg_create_physical_replication_slot('copy_' || pg_backend_pid(), true, true)`);
  await client.query(`SELECT pg_backup_start('copy', true)`);
  await copy(from, to);
  const { rows } = await client.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop(false)');
  for (const name of NOT_COPIED) rmSync(join(to, name), { force: true });
  const slots = join(to, 'pg_replslot');
  for (const name of readdirSync(slots)) rmSync(join(slots, name), { recursive: true, force: true });
  // Once more, with what was written up to the end of the backup.
  rmSync(join(to, 'pg_wal'), { recursive: true, force: true });
  await copy(join(from, 'pg_wal'), join(to, 'pg_wal'));
  const [label] = rows;
  if (!label) throw new Error('PostgreSQL ended the backup without a label');
  return label.labelfile;
}

async function copy(from: string, to: string): Promise<void> {
  try {
    await promisify(execFile)('cp', ['-Rp', from, to], { env: { PATH: process.env.PATH, LC_ALL: 'C' } });
  } catch (error) {
    const lines = (error as { readonly stderr?: string }).stderr?.trim().split('\n') ?? [];
    if (lines.length === 0 || !lines.every((line) => GONE.test(line))) throw error;
  }
}
