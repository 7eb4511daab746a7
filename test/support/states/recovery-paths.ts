import type { DatabaseName } from '../../../core/contract';
import type { JsonObject } from '../../../local/states/definition';
import type { ExecutionOptions } from '../../../local/states/interpreter';
import type { RecoveryWorld } from './recovery-world';

const SUCCEEDED = 'SUCCEEDED';
const TIME = { restoreTime: '2026-11-21T06:00:07Z' };
const SNAPSHOT = { snapshotArn: 'arn:aws:rds:eu-central-1:333333333333:snapshot:awsbackup:job-1' };

/** One way through the workflow: what is arranged, and how it ends. */
export interface Path {
  readonly when: string;
  /** `SUCCEEDED`, or the error of the failure. */
  readonly ends: string;
  /** The database that has it. @default - both */
  readonly of?: DatabaseName;
  readonly input?: JsonObject;
  readonly arrange?: (world: RecoveryWorld) => void;
  /** State at which a run before this one is stopped; this one continues with its instance. @default - none */
  readonly after?: string;
  /** What happens when a state is entered for the first time. */
  readonly meanwhile?: Readonly<Record<string, (world: RecoveryWorld) => void>>;
  readonly failAt?: ExecutionOptions['failAt'];
}

const deleted = (keepBackups: boolean) => (world: RecoveryWorld) => world.rds.delete(world.id, { keepBackups });
const lost = (next?: (world: RecoveryWorld) => void) => (world: RecoveryWorld) => {
  next?.(world);
  world.rds.losesAnswer = true;
};
/** The recovered instance gets a status for good, or is deleted. */
const recoveredIs = (status: string) => (world: RecoveryWorld) => world.rds.find(world.recovered).plan([0, status]);
const oldIs = (status: string) => (world: RecoveryWorld) => world.rds.find(world.id).plan([0, status]);
/** The same once it is renamed. */
const renamedIs = (status: string) => (world: RecoveryWorld) =>
  world.rds.find(world.recovered).plan([0, status, true, world.id]);
const recoveredGoes = (world: RecoveryWorld) => world.rds.delete(world.recovered, { keepBackups: false });

const REQUESTS: readonly Path[] = [
  { when: 'nothing is asked for', ends: SUCCEEDED },
  { when: 'a time is asked for', ends: SUCCEEDED, input: TIME },
  { when: 'a recovery point is asked for', ends: SUCCEEDED, input: SNAPSHOT },
  { when: 'a request has an unknown key', ends: 'RequestRefused', input: { restoretime: 'now' } },
  { when: 'a request has two sources', ends: 'RequestRefused', input: { ...SNAPSHOT, ...TIME } },
  { when: 'a time has another form', ends: 'RequestRefused', input: { restoreTime: 'yesterday' } },
  { when: 'a snapshot is not of this account', ends: 'RequestRefused', input: { snapshotArn: 'arn' } },
  { when: 'an instance is not of this workflow', ends: 'RequestRefused', input: { recoveredInstance: 'billing' } },
  { when: 'to erase people again takes several calls', ends: SUCCEEDED, arrange: (world) => (world.erasingCalls = 3) },
  { when: 'the instance in use is deleted', ends: SUCCEEDED, arrange: deleted(true) },
  { when: 'the instance in use is deleted, to a time', ends: SUCCEEDED, arrange: deleted(true), input: TIME },
  { when: 'it is deleted without backups', ends: 'NothingToRestoreFrom', arrange: deleted(false) },
  {
    when: 'RDS knows no backups of it',
    ends: 'NothingToRestoreFrom',
    arrange: deleted(false),
    failAt: (state) =>
      state === 'Find the backups of the deleted instance'
        ? 'Rds.DbInstanceAutomatedBackupNotFoundException'
        : undefined,
  },
  { when: 'the answer of a restore is lost', ends: SUCCEEDED, arrange: lost() },
  { when: 'the answer of a restore to a time is lost', ends: SUCCEEDED, arrange: lost(), input: TIME },
  { when: 'the answer of a restore of a point is lost', ends: SUCCEEDED, arrange: lost(), input: SNAPSHOT },
  { when: 'the answer of a restore of a deleted one is lost', ends: SUCCEEDED, arrange: lost(deleted(true)) },
  {
    when: 'the answer of a restore of a deleted one to a time is lost',
    ends: SUCCEEDED,
    arrange: lost(deleted(true)),
    input: TIME,
  },
  { when: 'an interrupted run made the log groups', ends: SUCCEEDED, after: 'Wait until restored' },
  {
    when: 'both instances are deleted after an interrupted run',
    ends: 'InstanceMissing',
    after: 'Wait until configured',
    arrange: (world) => {
      deleted(true)(world);
      recoveredGoes(world);
    },
  },
  {
    when: 'a failure cannot look at the instances',
    ends: 'RequestRefused',
    input: { restoretime: 'now' },
    failAt: (state) => (state === 'Look at one instance' ? 'Rds.RdsException' : undefined),
  },
];

/** Each wait for an instance, with how it ends when that does not become ready. */
const WAITS: readonly Path[] = [
  { when: 'restored', missing: 'InstanceMissing' },
  { when: 'configured', missing: 'InstanceLate' },
  { when: 'the password is set', missing: 'InstanceLate' },
].flatMap(({ when, missing }) => {
  const wait = `Wait until ${when}`;
  return [
    { when: `it waits until ${when}, and the instance fails`, status: 'failed', ends: 'InstanceUnusable' },
    { when: `it waits until ${when}, for too long`, status: 'modifying', ends: 'InstanceLate' },
  ]
    .map(({ status, ...path }): Path => ({ ...path, meanwhile: { [wait]: recoveredIs(status) } }))
    .concat({
      when: `it waits until ${when}, and the instance is deleted`,
      ends: missing,
      meanwhile: { [wait]: recoveredGoes },
    });
});

const PROOFS: readonly Path[] = [
  {
    when: 'a page cannot be read',
    ends: 'InstanceUnsound',
    arrange: (world) => {
      world.functions.warm = () => ({
        ...world.warmed(1),
        unreadable: [{ kind: 'table', name: 'invoices', message: 'invalid page' }],
      });
    },
  },
  {
    when: 'the database is not sound',
    ends: 'InstanceUnsound',
    arrange: (world) => {
      world.functions.verify = () => world.verified({ problems: [{ check: 'sequences', message: 'behind' }] });
    },
  },
  {
    when: 'the cut-over is refused',
    ends: 'CutOverRefused',
    arrange: (world) => (world.answers = [{ afterMs: 1, error: 'CutOverRefused' }]),
  },
  {
    when: 'another name is typed, then none',
    ends: 'CutOverUnconfirmed',
    arrange: (world) => (world.answers = [{ afterMs: 1, output: {} }, 'never']),
  },
];

const TAKES_THE_NAME = 'Wait until it answers by the name';
const CUT_OVERS: readonly Path[] = [
  {
    when: 'the old instance cannot be renamed',
    ends: 'Rds.InvalidDbInstanceStateException',
    arrange: oldIs('stopped'),
  },
  {
    when: 'the old instance is deleted for longer than the target',
    ends: 'NameNotFree',
    meanwhile: { 'Ask for confirmation': oldIs('deleting') },
  },
  {
    when: 'the old instance is deleted between look and rename',
    ends: SUCCEEDED,
    arrange: oldIs('failed'),
    meanwhile: { 'Set the old instance aside': deleted(true) },
  },
  { when: 'the name was taken by a run before', ends: SUCCEEDED, after: 'Report the end' },
  ...[
    { when: 'the renamed instance fails', ends: 'InstanceUnusable', status: 'failed' },
    { when: 'the renamed instance is late', ends: 'InstanceLate', status: 'rebooting' },
  ].map(({ status, ...path }): Path => ({ ...path, meanwhile: { [TAKES_THE_NAME]: renamedIs(status) } })),
  {
    when: 'the renamed instance is deleted',
    ends: 'InstanceLate',
    meanwhile: { [TAKES_THE_NAME]: recoveredGoes },
  },
];

const PROXY_WAIT = 'Wait until the proxy serves it';
const BY_PROXY: readonly Path[] = [
  { when: 'the proxy has no target', ends: SUCCEEDED, after: 'Give the recovered instance to the proxy' },
  { when: 'the proxy has the target already', ends: SUCCEEDED, after: 'Allow time to free the name' },
  { when: 'the proxy has the renamed target already', ends: SUCCEEDED, after: 'Report the end' },
  {
    when: 'the proxy does not reach it',
    ends: 'ProxyNotServing',
    meanwhile: { [PROXY_WAIT]: recoveredIs('stopped') },
  },
  {
    when: 'the proxy does not reach it by its name',
    ends: 'ProxyNotServing',
    meanwhile: { [`${PROXY_WAIT} by its name`]: oldIs('stopped') },
  },
  {
    when: 'the proxy loses its target before the name is taken',
    ends: SUCCEEDED,
    meanwhile: {
      'Ask when to take the name': (world: RecoveryWorld) => {
        void world.rds.services['arn:aws:states:::aws-sdk:rds:deregisterDBProxyTargets']?.(
          { DbProxyName: world.id, TargetGroupName: 'default', DbInstanceIdentifiers: [world.recovered] },
          {},
        );
      },
    },
  },
  {
    when: 'no moment is chosen for the name',
    ends: SUCCEEDED,
    arrange: (world: RecoveryWorld) => {
      world.nameAnswer = 'never';
    },
  },
];

/** The ways that every recovery has, whoever made the instance. */
export const PATHS: readonly Path[] = [
  ...REQUESTS,
  ...WAITS,
  ...PROOFS,
  ...CUT_OVERS,
  ...BY_PROXY.map((path) => ({ ...path, of: 'billing' as const })),
];

export interface Outcome {
  readonly ends: string;
  readonly left: readonly string[];
  readonly cause: string | undefined;
}

/** Takes one way in a world with an instance in use. */
export async function follow(world: RecoveryWorld, path: Path): Promise<Outcome> {
  if (path.after !== undefined) await world.recover({}, { abortAt: (state) => state === path.after });
  path.arrange?.(world);
  const input = path.after === undefined ? path.input : { recoveredInstance: world.recovered };
  const execution = await world.recover(input, {
    failAt: path.failAt,
    abortAt: (state, visit) => {
      if (visit === 1) path.meanwhile?.[state]?.(world);
      return false;
    },
  });
  return { ends: execution.error ?? execution.status, left: execution.left, cause: execution.cause };
}
