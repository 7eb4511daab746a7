import { MINUTE, SECOND, type VirtualClock } from './clock';
import type { JsonObject } from '../../../local/states/definition';
import { StatesError } from '../../../local/states/errors';

/** What RDS answers about an instance from a time on. */
interface Phase {
  readonly fromMs: number;
  readonly identifier: string;
  readonly status: string;
  readonly hasEndpoint: boolean;
}

/** Of the ARN of an instance; its identifier follows. */
export const ARN_PREFIX = 'arn:aws:rds:eu-central-1:333333333333:db:';
/** Statuses in which RDS takes changes. */
const CHANGEABLE = new Set(['available', 'storage-optimization', 'storage-initialization']);
/** A rename, from the request to an instance that answers: "about 10 minutes", by the user guide. */
export const RENAME_MS = 10 * MINUTE;

/** From the request to delete an instance until RDS knows it no longer. */
export const REMOVAL_MS = 6 * MINUTE;
const GONE = 'gone';

/** An instance that goes through the phases of RDS while time passes. */
export class SimulatedInstance {
  private phases: readonly Phase[];
  private passwordPendingUntilMs = 0;
  maximumGiB: number | undefined;
  settings: JsonObject = {};

  /**
   * @param data what is in the database, told apart by a word
   * @param described what RDS answers of it besides
   */
  constructor(
    private readonly clock: VirtualClock,
    identifier: string,
    readonly resourceId: string,
    readonly data: string,
    readonly allocatedGiB: number,
    public tags: readonly JsonObject[] = [],
    readonly described: JsonObject = {},
  ) {
    this.phases = [{ fromMs: clock.nowMs, identifier, status: 'available', hasEndpoint: true }];
  }

  /** @default 5432 */
  port = 5432;

  private get phase(): Phase {
    const phase = this.phases.findLast(({ fromMs }) => fromMs <= this.clock.nowMs);
    if (!phase) throw new Error('An instance has no phase before it was made');
    return phase;
  }

  get identifier(): string {
    return this.phase.identifier;
  }

  get status(): string {
    return this.phase.status;
  }

  get changeable(): boolean {
    return CHANGEABLE.has(this.status);
  }

  /** Whether it ever bears a name, from now on. */
  willBeCalled(identifier: string): boolean {
    return this.identifier === identifier || this.phases.at(-1)?.identifier === identifier;
  }

  /** What comes next, as `[seconds from now, status, has an endpoint, name]`; replaces what was planned. */
  plan(...steps: readonly (readonly [number, string, boolean?, string?])[]): void {
    const { clock } = this;
    const kept = this.phases.filter(({ fromMs }) => fromMs <= clock.nowMs);
    let { identifier } = this.phase;
    this.phases = [
      ...kept,
      ...steps.map(([seconds, status, hasEndpoint = true, name]) => {
        identifier = name ?? identifier;
        return { fromMs: clock.nowMs + seconds * SECOND, identifier, status, hasEndpoint };
      }),
    ];
  }

  create(lastStatus: string): void {
    this.plan([0, 'creating', false], [540, 'backing-up'], [660, 'modifying'], [720, lastStatus]);
  }

  /** Changes show only after some seconds, in which the status is still the former one. */
  change(settings: JsonObject): void {
    const { MaxAllocatedStorage: maximum } = settings;
    if (typeof maximum === 'number') {
      if (maximum * 10 < this.allocatedGiB * 11) {
        throw new StatesError(
          'Rds.RdsException',
          `MaxAllocatedStorage ${maximum} must exceed ${this.allocatedGiB} by 10 %`,
        );
      }
      this.maximumGiB = maximum;
    }
    this.settings = { ...this.settings, ...settings };
    this.plan(
      [15, 'modifying'],
      [90, 'configuring-enhanced-monitoring'],
      [180, 'rebooting'],
      [240, 'storage-optimization'],
    );
  }

  rename(to: string): void {
    this.plan(
      [20, 'renaming'],
      [RENAME_MS / SECOND - 150, 'renaming', true, to],
      [RENAME_MS / SECOND - 90, 'rebooting', true, to],
      [RENAME_MS / SECOND, 'available', true, to],
    );
  }

  setPassword(): void {
    this.passwordPendingUntilMs = this.clock.nowMs + 70 * SECOND;
    this.plan([15, 'resetting-master-credentials'], [60, 'available']);
  }

  /** Deletes it: RDS takes some minutes, and then knows it no longer. */
  remove(): void {
    this.plan([0, 'deleting'], [REMOVAL_MS / SECOND, GONE]);
  }

  get isGone(): boolean {
    return this.status === GONE;
  }

  /** As `DescribeDBInstances` answers it. */
  describe(): JsonObject {
    const { identifier, status, hasEndpoint } = this.phase;
    return {
      MasterUsername: 'administrator',
      ...this.described,
      DbInstanceIdentifier: identifier,
      DbInstanceArn: `${ARN_PREFIX}${identifier}`,
      DbiResourceId: this.resourceId,
      DbInstanceStatus: status,
      AllocatedStorage: this.allocatedGiB,
      PendingModifiedValues: this.clock.nowMs < this.passwordPendingUntilMs ? { MasterUserPassword: '****' } : {},
      TagList: this.tags,
      ...(hasEndpoint ? { Endpoint: { Address: `${identifier}.example.rds.amazonaws.com`, Port: this.port } } : {}),
    };
  }
}
