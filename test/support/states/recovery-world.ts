import type { DatabaseName } from '../../../core/contract';
import { contract as erasure, replayReport, replayRequest } from '../../../lambdas/erasure/contract';
import { accessReport, contract as migrate } from '../../../lambdas/migrate/contract';
import { contract as resetPassword } from '../../../lambdas/reset-password/contract';
import { contract as rows, type RowRecoveryRequest } from '../../../lambdas/row-recovery/contract';
import { contract as verify, type VerifyReport, type VerifyRequest } from '../../../lambdas/verify/contract';
import { contract as warm, type WarmReport, type WarmRequest } from '../../../lambdas/warm/contract';
import { RECOVERY_EVENTS } from '../../../lib/operations/recovery/recovery-events';
import { templatesOf } from '../../lib/support';
import { MINUTE, SECOND, VirtualClock } from './clock';
import type { Definition, Json, JsonObject } from '../../../local/states/definition';
import { deployedDefinition } from './deployed-definition';
import { StatesError } from '../../../local/states/errors';
import {
  execute,
  type Execution,
  type ExecutionOptions,
  type Service,
  type TokenAnswer,
} from '../../../local/states/interpreter';
import { SimulatedRds } from './simulated-rds';
import { textOf } from '../../../local/states/text';

/** What the functions of the workflow answer. Requests are checked by the contracts of the functions. */
interface Functions {
  warm: (request: WarmRequest) => WarmReport;
  verify: (request: VerifyRequest) => VerifyReport;
  rows: (request: RowRecoveryRequest) => Json;
}

/** The world around one recovery workflow of production, as its template would have it deployed. */
export class RecoveryWorld {
  readonly clock = new VirtualClock('2026-11-21T12:00:00Z');
  readonly id: string;
  readonly rds: SimulatedRds;
  /** Details of the events on the bus, with their types. */
  readonly events: { readonly type: string; readonly detail: JsonObject }[] = [];
  /** Log groups with the days that they are kept for. */
  readonly logGroups = new Map<string, number | undefined>();
  readonly reminders: JsonObject[] = [];
  /** Whether the reminder of every name has ended already: Step Functions starts none of that name again. */
  remindersEnded = false;
  /** Times that a reminder was asked for. */
  reminderCalls = 0;
  /** Instances whose password was set. */
  readonly passwordsSet: string[] = [];
  /** Names of the functions that were invoked, in their order. */
  readonly invoked: string[] = [];
  /** Answers the questions about the cut-over, one after the other; the last one again. */
  answers: readonly TokenAnswer[];
  /** Answers the question when to take the name. */
  nameAnswer: TokenAnswer = { afterMs: 30 * MINUTE, output: {} };
  readonly functions: Functions = {
    warm: ({ stopAtMs }) => this.warmed(4 * MINUTE, stopAtMs),
    verify: () => this.verified({}),
    rows: (request) => this.rowsAnswered(request),
  };
  /** Error of the function that erases again. @default none */
  failsErasing: string | undefined;
  /** Calls that a replay of erasures takes. */
  erasingCalls = 1;
  /** Time that one of them takes. */
  erasingMs = 0;
  /** Positions from which the calls were told to continue. */
  readonly erasedFrom: (string | null)[] = [];
  /** Error of the function that gives logins their passwords. */
  failsLogins: string | undefined;
  /** Error of the function that warms. @default none */
  failsWarming: string | undefined;
  /** User whose password the secret holds. */
  secretUsername = 'administrator';
  private questions = 0;
  private deployed: Definition | undefined;

  constructor(
    readonly database: DatabaseName,
    id = `billing-operations-production-${database}`,
    private readonly templates = () => templatesOf('production'),
  ) {
    this.id = id;
    this.rds = new SimulatedRds(this.clock, database === 'billing' ? this.id : undefined);
    this.answers = [{ afterMs: 5 * MINUTE, output: { confirm: this.id } }];
  }

  get definition(): Definition {
    this.deployed ??= deployedDefinition(this.templates(), `BillingOps-production-recover-${this.database}`);
    return this.deployed;
  }

  /** With an instance in use, as on any day. */
  static inUse(database: DatabaseName, data = 'live data'): RecoveryWorld {
    const world = new RecoveryWorld(database);
    world.rds.add(world.id, data);
    return world;
  }

  async recover(input: Json = {}, options: Partial<ExecutionOptions> = {}): Promise<Execution> {
    return this.run(this.definition, input, options);
  }

  /** Runs another state machine in this world. */
  async run(definition: Definition, input: Json = {}, options: Partial<ExecutionOptions> = {}): Promise<Execution> {
    return execute(definition, {
      clock: this.clock,
      services: this.services,
      input,
      answer: (given) => this.answerTo(given),
      ...options,
    });
  }

  private answerTo({ Entries }: JsonObject): TokenAnswer {
    const [{ DetailType } = {}] = Entries as JsonObject[];
    if (DetailType === RECOVERY_EVENTS.nameRequested) return this.nameAnswer;
    return this.answers[Math.min(this.questions++, this.answers.length - 1)] ?? 'never';
  }

  /** The events of one type, in their order. */
  eventsOf(type: keyof typeof RECOVERY_EVENTS): JsonObject[] {
    return this.events.flatMap((event) => (event.type === RECOVERY_EVENTS[type] ? [event.detail] : []));
  }

  /** Identifier of the instance that was restored first. */
  get recovered(): string {
    const restore = this.rds.calls.find(({ action }) => action.startsWith('restore'));
    const { TargetDBInstanceIdentifier, DbInstanceIdentifier } = restore?.arguments ?? {};
    return textOf(TargetDBInstanceIdentifier ?? DbInstanceIdentifier);
  }

  /** An answer of the function that warms, which reads for so long, and is done when the time allows it. */
  warmed(takesMs: number, stopAtMs = Infinity): WarmReport {
    const before = this.clock.nowMs;
    this.clock.advance(Math.min(takesMs, Math.max(stopAtMs - before, 0)));
    const durationMs = this.clock.nowMs - before;
    const done = durationMs === takesMs;
    return {
      ...this.subject,
      done,
      continueFrom: done ? null : { kind: 'table', oid: 1, page: 1, chunkPages: 8192 },
      unreadable: [],
      skippedPages: [],
      includesIndexes: true,
      bytesRead: 1000,
      bytesLeft: done ? 0 : 1000,
      durationMs,
    };
  }

  /** An answer of the function that verifies: sound, unless it is told problems. */
  verified({ problems = [] }: Partial<Pick<VerifyReport, 'problems'>>): VerifyReport {
    const durationMs = 3 * MINUTE;
    this.clock.advance(durationMs);
    return {
      ...this.subject,
      sound: problems.length === 0,
      problems,
      warnings: [],
      notChecked: [],
      schemaVersion: '0001_create_tables',
      pendingMigrations: [],
      tables: 20,
      foreignKeysChecked: 10,
      sequencesChecked: 5,
      invariantsChecked: 5,
      newestAt: null,
      ageSeconds: null,
      durationMs,
    };
  }

  /** An answer of the function that recovers rows: three are gone, one is changed; a merge puts the three back. */
  rowsAnswered(request: RowRecoveryRequest): Json {
    const { database } = this;
    if (request.action === 'check') return { database, checked: [...request.tables], related: [] };
    if (request.action === 'merge') {
      const counts = { inserted: 3, updated: 0, skipped: 0 };
      const { reportId } = request;
      return {
        reportId,
        database,
        dryRun: false,
        tables: [],
        ...counts,
        conflicts: [],
        next: null,
        entitlementsChanged: 0,
      };
    }
    return {
      reportId: '20261121T123000Z-00000001',
      database,
      slot: null,
      instance: 'restored',
      createdAt: '2026-11-21T12:30:00Z',
      tables: [],
      deleted: 3,
      changed: 1,
      related: [],
      rowsKey: 'rows.jsonl',
      complete: true,
      firstIds: [],
    };
  }

  private get subject(): Pick<VerifyReport, 'database' | 'host' | 'targetDatabase'> {
    return { database: this.database, host: 'recovered', targetDatabase: this.database };
  }

  protected get services(): Record<string, Service> {
    const put = (given: JsonObject) => this.put(given);
    return {
      ...this.rds.services,
      'arn:aws:states:::lambda:invoke': (given) => ({ Payload: this.invoke(given) }),
      'arn:aws:states:::events:putEvents': put,
      'arn:aws:states:::events:putEvents.waitForTaskToken': put,
      'arn:aws:states:::states:startExecution': (given) => {
        this.reminderCalls += 1;
        if (this.remindersEnded) throw new StatesError('StepFunctions.ExecutionAlreadyExistsException', 'exists');
        // Step Functions starts no second execution of a name while one runs.
        const isRunning = this.reminders.some(({ Name }) => Name !== undefined && Name === given.Name);
        if (!isRunning) this.reminders.push(given);
        return { ExecutionArn: 'reminder' };
      },
      'arn:aws:states:::aws-sdk:cloudwatchlogs:createLogGroup': ({ LogGroupName }) => {
        const name = textOf(LogGroupName);
        if (this.logGroups.has(name)) throw new StatesError('CloudWatchLogs.ResourceAlreadyExistsException', name);
        this.logGroups.set(name, undefined);
        return {};
      },
      'arn:aws:states:::aws-sdk:cloudwatchlogs:putRetentionPolicy': ({ LogGroupName, RetentionInDays }) => {
        this.logGroups.set(textOf(LogGroupName), Number(RetentionInDays));
        return {};
      },
    };
  }

  private put({ Entries }: JsonObject): JsonObject {
    for (const { DetailType, Detail } of Entries as JsonObject[]) {
      this.events.push({ type: textOf(DetailType), detail: Detail as JsonObject });
    }
    return { FailedEntryCount: 0 };
  }

  private invoke({ FunctionName, Payload }: JsonObject): Json {
    const name = /production-([\w-]+)$/.exec(textOf(FunctionName))?.[1] ?? '';
    this.invoked.push(name);
    switch (name) {
      case 'reset-password': {
        const { database, instanceIdentifier, masterUsername, dryRun } = resetPassword.request.parse(Payload);
        this.clock.advance(2 * SECOND);
        const passwordSet = !dryRun && [undefined, this.secretUsername].includes(masterUsername);
        if (passwordSet) {
          this.rds.find(instanceIdentifier).setPassword();
          this.passwordsSet.push(instanceIdentifier);
        }
        return resetPassword.report.parse({ database, instanceIdentifier, passwordSet, dryRun });
      }
      case 'warm':
        if (this.failsWarming !== undefined) throw new StatesError(this.failsWarming, 'as told');
        return warm.report.parse(this.functions.warm(warm.request.parse(Payload)));
      case 'row-recovery':
        this.clock.advance(1 * MINUTE);
        return rows.report.parse(this.functions.rows(rows.request.parse(Payload)));
      case 'erasure': {
        if (this.failsErasing !== undefined) throw new StatesError(this.failsErasing, 'as told');
        const { database, dryRun, continueFrom: from } = replayRequest.parse(erasure.request.parse(Payload));
        if (dryRun) throw new Error('The workflow erases nobody: a dry run changes nothing');
        this.clock.advance(this.erasingMs);
        this.erasedFrom.push(from?.table ?? null);
        const done = this.erasedFrom.length % this.erasingCalls === 0;
        // The call before the last ends the sweep, and the last looks for who was erased meanwhile.
        const isSwept = done || this.erasedFrom.length % this.erasingCalls === this.erasingCalls - 1;
        const continueFrom = isSwept ? null : { table: 'charges', after: ['ch_1'] };
        const answer = { action: 'replay', database, dryRun, erasures: 2, tables: [], migrated: [] };
        return replayReport.parse({ ...answer, done, continueFrom });
      }
      case 'migrate': {
        if (this.failsLogins !== undefined) throw new StatesError(this.failsLogins, 'as told');
        const request = migrate.request.parse(Payload);
        if (request.action !== 'access' || !request.passwordsOnly || request.dryRun || request.host === undefined) {
          throw new Error('The workflow sets passwords on the recovered instance, and nothing else');
        }
        const nothing = { changes: [], locksOut: [], obstacles: [] };
        return accessReport.parse({ database: request.database, dryRun: false, passwords: [], ...nothing });
      }
      case 'verify':
        return verify.report.parse(this.functions.verify(verify.request.parse(Payload)));
      default:
        throw new Error(`The workflow invokes a function that does not exist: ${textOf(FunctionName)}`);
    }
  }
}
