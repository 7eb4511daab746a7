import * as rdsApi from '@aws-sdk/client-rds';
import { MINUTE, type VirtualClock } from './clock';
import type { Json, JsonObject } from '../../../local/states/definition';
import { StatesError } from '../../../local/states/errors';
import type { Service } from '../../../local/states/interpreter';
import { ARN_PREFIX, SimulatedInstance } from './simulated-instance';
import { textOf } from '../../../local/states/text';

type Action =
  | 'RestoreDBInstanceToPointInTime'
  | 'RestoreDBInstanceFromDBSnapshot'
  | 'ModifyDBInstance'
  | 'DeleteDBInstance';

/** A call that fails, so many times. */
interface Fault {
  readonly action: string;
  readonly error: string;
  times: number;
}

/** An instance that was deleted, and whose automated backups RDS keeps. */
interface RetainedBackup {
  readonly identifier: string;
  readonly resourceId: string;
  readonly data: string;
  readonly latest: string;
  /** What RDS tells of the instance with its backups. */
  readonly described: JsonObject;
}

/** From registering a target until the proxy reaches it. */
const REGISTERING_MS = 1 * MINUTE;

/** RDS as far as a recovery calls it: answers and errors as the API documents them, statuses that change with time. */
export class SimulatedRds {
  readonly calls: { readonly action: string; readonly arguments: JsonObject; readonly atMs: number }[] = [];
  readonly retained: RetainedBackup[] = [];
  /** Whether the answer to the next restore is lost, though RDS carries it out. */
  losesAnswer = false;
  /** Status that a restore ends with. */
  restoresEndAs = 'available';
  /** Class of which RDS has no instance left. */
  exhaustedClass: string | undefined;
  private readonly instances: SimulatedInstance[] = [];
  private readonly targets = new Map<string, number>();
  private readonly faults: Fault[] = [];
  private nextResource = 1;

  constructor(
    private readonly clock: VirtualClock,
    private readonly proxyName: string | undefined,
  ) {}

  /** An instance that exists from the beginning, and is the target of the proxy. */
  add(identifier: string, data: string, allocatedGiB = 100, described: JsonObject = {}): SimulatedInstance {
    const { TagList: tags = [] } = described;
    const instance = this.make(identifier, data, allocatedGiB, tags as JsonObject[], described);
    if (this.proxyName !== undefined) this.targets.set(identifier, -Infinity);
    return instance;
  }

  /** Deletes an instance; RDS keeps its automated backups when it is told to. */
  delete(identifier: string, { keepBackups }: { readonly keepBackups: boolean }): void {
    const instance = this.find(identifier);
    this.instances.splice(this.instances.indexOf(instance), 1);
    this.targets.delete(identifier);
    if (!keepBackups) return;
    const { resourceId, data } = instance;
    const described = keptWithBackups(instance.describe());
    this.retained.push({ identifier, resourceId, data, latest: new Date(this.clock.nowMs).toISOString(), described });
  }

  /** @param action as Step Functions names it, such as `modifyDBInstance` */
  fail(action: string, error: string, times: number): void {
    this.faults.push({ action, error, times });
  }

  /** @throws StatesError `Rds.DbInstanceNotFoundException` */
  find(identifier: string): SimulatedInstance {
    const found = this.instances.find((instance) => instance.identifier === identifier && !instance.isGone);
    if (!found) throw new StatesError('Rds.DbInstanceNotFoundException', `DBInstance ${identifier} not found.`);
    return found;
  }

  get identifiers(): string[] {
    return this.instances
      .filter(({ isGone }) => !isGone)
      .map(({ identifier }) => identifier)
      .toSorted();
  }

  /** What a client of the proxy reads. */
  get servedByProxy(): string | undefined {
    const [target] = [...this.targets.keys()].filter((identifier) => this.health(identifier) === 'AVAILABLE');
    return target === undefined ? undefined : this.find(target).data;
  }

  get services(): Record<string, Service> {
    const actions: Record<string, (given: JsonObject) => Json> = {
      describeDBInstances: ({ DbInstanceIdentifier }) => ({
        DbInstances: [this.find(textOf(DbInstanceIdentifier)).describe()],
      }),
      describeDBInstanceAutomatedBackups: ({ DbInstanceIdentifier }) => this.automatedBackups(DbInstanceIdentifier),
      restoreDBInstanceToPointInTime: (given) => this.restoreToTime(given),
      restoreDBInstanceFromDBSnapshot: (given) =>
        this.restore(given, textOf(given.DbInstanceIdentifier), `snapshot ${textOf(given.DbSnapshotIdentifier)}`),
      modifyDBInstance: (given) => this.modify(given),
      deleteDBInstance: (given) => this.remove(given),
      addTagsToResource: (given) => this.tag(given),
      registerDBProxyTargets: (given) => this.register(given),
      deregisterDBProxyTargets: (given) => this.deregister(given),
      describeDBProxyTargets: () => this.describeTargets(),
    };
    return Object.fromEntries(
      Object.entries(actions).map(([action, answer]) => [
        `arn:aws:states:::aws-sdk:rds:${action}`,
        (given: JsonObject) => {
          this.calls.push({ action, arguments: given, atMs: this.clock.nowMs });
          assertParameters(action, given);
          this.failWhenTold(action);
          return answer(given);
        },
      ]),
    );
  }

  private failWhenTold(action: string): void {
    const fault = this.faults.find((one) => one.action === action && one.times > 0);
    if (!fault) return;
    fault.times -= 1;
    throw new StatesError(fault.error, 'Rate exceeded (Service: Rds, Status Code: 400)');
  }

  private make(
    identifier: string,
    data: string,
    allocatedGiB: number,
    tags: readonly JsonObject[] = [],
    described: JsonObject = {},
  ) {
    const resourceId = `db-${String(this.nextResource++).padStart(4, '0')}`;
    const instance = new SimulatedInstance(this.clock, identifier, resourceId, data, allocatedGiB, tags, described);
    this.instances.push(instance);
    return instance;
  }

  private automatedBackups(identifier: Json | undefined): JsonObject {
    return {
      DbInstanceAutomatedBackups: this.retained
        .filter((backup) => backup.identifier === identifier)
        .map(({ resourceId, latest, described }) => ({
          ...described,
          DbiResourceId: resourceId,
          Status: 'retained',
          RestoreWindow: { LatestTime: latest },
        })),
    };
  }

  private restoreToTime(given: JsonObject): JsonObject {
    const { SourceDBInstanceIdentifier: source, SourceDbiResourceId: resourceId, RestoreTime: time } = given;
    const backup = this.retained.find((one) => one.resourceId === resourceId);
    if (source === undefined && !backup) {
      throw new StatesError('Rds.DbInstanceAutomatedBackupNotFoundException', `${textOf(resourceId)} not found.`);
    }
    const data = source === undefined ? backup?.data : this.find(textOf(source)).data;
    return this.restore(
      given,
      textOf(given.TargetDBInstanceIdentifier),
      `${data} at ${textOf(time ?? 'the latest time')}`,
    );
  }

  private restore(given: JsonObject, identifier: string, data: string): JsonObject {
    this.assertFree(identifier);
    if (this.exhaustedClass !== undefined && given.DbInstanceClass === this.exhaustedClass) {
      throw new StatesError('Rds.InsufficientDbInstanceCapacityException', `No ${this.exhaustedClass} is left`);
    }
    const instance = this.make(identifier, data, this.restoredGiB, (given.Tags ?? []) as JsonObject[]);
    instance.settings = given;
    instance.create(this.restoresEndAs);
    if (this.losesAnswer) {
      this.losesAnswer = false;
      throw new StatesError('Rds.SdkClientException', 'Unable to execute HTTP request: Read timed out');
    }
    return { DbInstance: instance.describe() };
  }

  /** GiB of the disk that a restore has: as large as autoscaling had made it. */
  restoredGiB = 100;

  private assertFree(identifier: string): void {
    if (!this.instances.some((instance) => instance.willBeCalled(identifier))) return;
    throw new StatesError('Rds.DbInstanceAlreadyExistsException', 'DB instance already exists');
  }

  private modify({ DbInstanceIdentifier, NewDBInstanceIdentifier, ...settings }: JsonObject): JsonObject {
    const instance = this.find(textOf(DbInstanceIdentifier));
    if (!instance.changeable) {
      throw new StatesError(
        'Rds.InvalidDbInstanceStateException',
        `Database instance is not in available state, but ${instance.status}.`,
      );
    }
    if (NewDBInstanceIdentifier === undefined) instance.change(settings);
    else {
      this.assertFree(textOf(NewDBInstanceIdentifier));
      instance.rename(textOf(NewDBInstanceIdentifier));
    }
    return { DbInstance: instance.describe() };
  }

  private tag({ ResourceName, Tags }: JsonObject): JsonObject {
    const instance = this.find(textOf(ResourceName).replace(ARN_PREFIX, ''));
    instance.tags = [...instance.tags, ...(Tags as JsonObject[])];
    return {};
  }

  /** With the refusals of the API: a protected instance, one that is made or deleted, one whose data would be kept. */
  private remove({ DbInstanceIdentifier, SkipFinalSnapshot, DeleteAutomatedBackups }: JsonObject): JsonObject {
    const instance = this.find(textOf(DbInstanceIdentifier));
    if (instance.settings.DeletionProtection !== false) {
      throw new StatesError(
        'Rds.RdsException',
        'Cannot delete protected DB Instance, please disable deletion protection',
      );
    }
    if (['creating', 'deleting'].includes(instance.status)) {
      throw new StatesError('Rds.InvalidDbInstanceStateException', `Instance is currently ${instance.status}`);
    }
    if (SkipFinalSnapshot !== true || DeleteAutomatedBackups !== true) {
      throw new StatesError('Rds.RdsException', 'FinalDBSnapshotIdentifier is required');
    }
    instance.remove();
    return { DbInstance: instance.describe() };
  }

  private register({ DbInstanceIdentifiers }: JsonObject): JsonObject {
    for (const identifier of DbInstanceIdentifiers as string[]) {
      if (this.targets.has(identifier)) {
        throw new StatesError('Rds.DbProxyTargetAlreadyRegisteredException', `${identifier} is registered`);
      }
      if (!this.find(identifier).changeable) {
        throw new StatesError('Rds.InvalidDbInstanceStateException', `${identifier} is not available`);
      }
      // A target group of instances has one target.
      if (this.targets.size > 0) throw new StatesError('Rds.RdsException', 'The target group has a target already');
      this.targets.set(identifier, this.clock.nowMs);
    }
    return { DbProxyTargets: [] };
  }

  private deregister({ DbInstanceIdentifiers }: JsonObject): JsonObject {
    for (const identifier of DbInstanceIdentifiers as string[]) {
      if (!this.targets.delete(identifier)) {
        throw new StatesError('Rds.DbProxyTargetNotFoundException', `${identifier} is not registered`);
      }
    }
    return {};
  }

  private health(identifier: string): string {
    const since = this.targets.get(identifier) ?? Infinity;
    if (this.clock.nowMs < since + REGISTERING_MS) return 'REGISTERING';
    const instance = this.instances.find((one) => one.identifier === identifier);
    return instance?.changeable ? 'AVAILABLE' : 'UNAVAILABLE';
  }

  private describeTargets(): JsonObject {
    return {
      Targets: [...this.targets.keys()].map((identifier) => ({
        RdsResourceId: identifier,
        TargetHealth: { State: this.health(identifier) },
      })),
    };
  }
}

/** Step Functions spells parameters as the SDK for Java does: of a leading acronym, only the first letter is upper case. */
const inJava = (name: string) =>
  name.replace(/^[A-Z]+(?=[A-Z][a-z])/, (acronym) => `${acronym.charAt(0)}${acronym.slice(1).toLowerCase()}`);

/** Fields of a structure of the API, by the model that AWS's own SDK carries. */
export function fieldsOf(structure: 'DBInstance' | 'DBInstanceAutomatedBackup'): readonly string[] {
  const schema = (rdsApi as unknown as Record<string, readonly unknown[]>)[`${structure}$`];
  return (schema?.[4] ?? []) as readonly string[];
}

/** The same as Step Functions spells them. */
export const membersOf = (structure: Parameters<typeof fieldsOf>[0]): readonly string[] =>
  fieldsOf(structure).map(inJava);

/** What RDS still tells of a deleted instance: no class, no groups, no standby. */
function keptWithBackups(described: JsonObject): JsonObject {
  const members = membersOf('DBInstanceAutomatedBackup');
  return Object.fromEntries(Object.entries(described).filter(([name]) => members.includes(name)));
}

/** Refuses parameters that the API does not have, by the model that AWS's own SDK carries. */
function assertParameters(action: string, given: JsonObject): void {
  const operation = `${action.charAt(0).toUpperCase()}${action.slice(1)}` as Action;
  const schema = (rdsApi as unknown as Record<string, unknown>)[`${operation}$`] as readonly unknown[] | undefined;
  const input = (schema?.[4] as (() => readonly unknown[]) | undefined)?.();
  const members = (input?.[4] as readonly string[] | undefined)?.map(inJava);
  if (!members) throw new Error(`The SDK has no model of ${action}`);
  const unknown = Object.keys(given).filter((name) => !members.includes(name));
  if (unknown.length > 0) throw new StatesError('States.Runtime', `${action} has no parameter ${unknown.join(', ')}`);
}
