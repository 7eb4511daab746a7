import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';
import { InstanceNotFound } from '../aws/rds';
import { recoverOrphan, type Cluster } from '../postgres/cluster';
import { asSuperuser, type LocalDatabaseServer } from '../postgres/databases';
import { otherLoopback } from '../runtime/ports';

/** What the workflow of large archives is given of a recovery point. */
export interface RecoveryPoint {
  readonly snapshotArn: string;
  readonly takenAt: string;
}

interface Copy {
  readonly snapshotArn: string;
  readonly cluster: Cluster;
  /** Once it was restored. */
  identifier?: string;
}

/**
 * Copies of the clusters, which stand for the instances that RDS restores from a recovery point: the files are copied while the
 * server runs, and a second server replays what was written meanwhile. One at a time for each database; a new one replaces
 * that of an execution that was stopped. Copies of one database share a folder: what makes or ends one waits for what was asked
 * for before.
 */
export class CopiedInstances {
  private readonly copies = new Map<DatabaseName, Copy>();
  /** The end of what was asked for last. */
  private readonly turns = new Map<DatabaseName, Promise<unknown>>();

  /** @param directory folder of the clusters */
  constructor(
    private readonly servers: Readonly<Record<DatabaseName, LocalDatabaseServer>>,
    private readonly directory: string,
  ) {}

  /** Stops the copies that a crashed run left behind. */
  async recover(): Promise<void> {
    for (const database of DATABASE_NAMES) await recoverOrphan(this.folderOf(database));
  }

  /** Copies a cluster as it is now. @throws when this machine has no second address, or the copy does not start */
  async take(database: DatabaseName, snapshotArn: string): Promise<RecoveryPoint> {
    return this.inTurn(database, async () => {
      await this.end(database);
      const takenAt = new Date().toISOString();
      const { cluster } = this.servers[database];
      const copy = await cluster.clone(this.folderOf(database), await otherLoopback(cluster.port));
      this.copies.set(database, { snapshotArn, cluster: copy });
      return { snapshotArn, takenAt };
    });
  }

  /** Gives the copy of a recovery point its identifier. @returns whether there is one */
  restore(snapshotArn: string, identifier: string): boolean {
    const copy = [...this.copies.values()].find((candidate) => candidate.snapshotArn === snapshotArn);
    if (copy) copy.identifier = identifier;
    return copy !== undefined;
  }

  /** Host of an instance; undefined when there is none. */
  hostOf(identifier: string): string | undefined {
    return this.find(identifier)?.[1].cluster.host;
  }

  /** @throws InstanceNotFound */
  async setPassword(identifier: string, password: string): Promise<void> {
    const [database, copy] = this.find(identifier) ?? [];
    if (database === undefined || copy === undefined) throw new InstanceNotFound(identifier);
    const { username } = this.servers[database].credentials;
    await asSuperuser(copy.cluster, 'postgres', (client) =>
      client.query(`ALTER ROLE ${client.escapeIdentifier(username)} PASSWORD ${client.escapeLiteral(password)}`),
    );
  }

  /** Ends an instance. @returns whether there was one */
  async delete(identifier: string): Promise<boolean> {
    const [database] = this.find(identifier) ?? [];
    if (database !== undefined) await this.remove(database);
    return database !== undefined;
  }

  /**
   * Ends the copy of a database, if there is one.
   *
   * @param snapshotArn recovery point of which it has to be. @default - any
   */
  async remove(database: DatabaseName, snapshotArn?: string): Promise<void> {
    await this.inTurn(database, () => this.end(database, snapshotArn));
  }

  private async end(database: DatabaseName, snapshotArn?: string): Promise<void> {
    const copy = this.copies.get(database);
    if (!copy || (snapshotArn !== undefined && copy.snapshotArn !== snapshotArn)) return;
    this.copies.delete(database);
    await copy.cluster.stop();
    rmSync(this.folderOf(database), { recursive: true, force: true });
  }

  /** Work that failed keeps none from its turn. */
  private inTurn<T>(database: DatabaseName, work: () => Promise<T>): Promise<T> {
    const turn = (this.turns.get(database) ?? Promise.resolve()).then(work);
    this.turns.set(
      database,
      turn.catch(() => undefined),
    );
    return turn;
  }

  private find(identifier: string): [DatabaseName, Copy] | undefined {
    return [...this.copies].find(([, copy]) => copy.identifier === identifier);
  }

  private folderOf(database: DatabaseName): string {
    return join(this.directory, `${database}-copy`);
  }
}
