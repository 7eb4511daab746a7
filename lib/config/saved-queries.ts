import { LOGIN_USERS } from '../../core/access/contract';
import { PLATFORM_APPLICATIONS } from './database-log-metrics';
import { DATABASE_POLICIES } from './database-policies';

/** Users of the functions: the owners of the tables, and both users of each login. */
const PLATFORM_USERS = [
  'rdsadmin',
  ...Object.values(DATABASE_POLICIES).map(({ adminUser }) => adminUser),
  ...Object.values(LOGIN_USERS)
    .flatMap((users) => Object.values(users))
    .flatMap((user) => [user, `${user}_clone`]),
];

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');

/** A query of Logs Insights. */
export interface SavedQuery {
  /** Id of its resource. */
  readonly id: string;
  /** The question, as its name in the console. */
  readonly title: string;
  /** Whose logs it is over: those of all functions, or of the databases that the stacks make. */
  readonly over: 'functions' | 'databases';
  /** Lines of the query. */
  readonly lines: readonly string[];
}

/** Field names of the logger and of Lambda; a test compares them with what a function writes. */
export const SAVED_QUERIES: readonly SavedQuery[] = [
  {
    id: 'FollowEvent',
    title: 'Follow an event or an object',
    over: 'functions',
    lines: [
      '# Replace evt_… by the id of an event, a request or a trace: webhook, processor and all that came after.',
      'fields @timestamp, service, level, message, eventId, reason, requestId, xray_trace_id',
      "| filter @message like 'evt_…'",
      '| sort @timestamp asc',
      '| limit 200',
    ],
  },
  {
    id: 'Failures',
    title: 'What failed',
    over: 'functions',
    lines: [
      'filter level in ["ERROR", "WARN"] or type = "platform.report" and record.status != "success"',
      '| stats count(*) as lines, latest(@timestamp) as last, latest(requestId) as lastRequest by service, level, message, code',
      '| sort lines desc',
    ],
  },
  {
    id: 'SlowestFunctions',
    title: 'Slowest functions, and their memory',
    over: 'functions',
    lines: [
      'filter type = "platform.report"',
      '| stats count(*) as calls, max(record.metrics.durationMs) as slowestMs, pct(record.metrics.durationMs, 95) as p95Ms,',
      '    max(record.metrics.maxMemoryUsedMB) as usedMB, max(record.metrics.memorySizeMB) as ofMB,',
      '    max(record.metrics.initDurationMs) as coldStartMs by @log',
      '| sort slowestMs desc',
    ],
  },
  {
    id: 'OperatorActions',
    title: 'Who changed what',
    over: 'functions',
    lines: [
      '# Each command of ops that changes anything; its record in the archive bucket is kept for a year: ops audit.',
      'filter service = "audit" and ispresent(command)',
      '| fields @timestamp, who, command, id',
      '| sort @timestamp desc',
      '| limit 200',
    ],
  },
  {
    id: 'DatabaseLogins',
    title: 'Who logged in to the database',
    over: 'databases',
    lines: [
      '# Each login but those of the functions and of RDS: log_connections. By user, which a client cannot choose, and not by application.',
      'parse @message /UTC:(?<address>[^(]*)\\(\\d+\\):(?<user>[^@]*)@(?<database>[^:]*):\\[\\d+\\]:.*LOG:  connection authorized: user=/',
      `| filter ispresent(user) and user not in [${quoted(PLATFORM_USERS)}]`,
      '| fields @timestamp, user, database, address',
      '| sort @timestamp desc',
      '| limit 200',
    ],
  },
  {
    // A client chooses the name of its application, and could write a record of a read there: what has two records is listed.
    id: 'DatabaseChanges',
    title: 'Who changed what in the database',
    over: 'databases',
    lines: [
      "# pgaudit's records: changes of schemas (DDL), roles (ROLE) and rows (WRITE: of people in both databases, of others in billing), unless a user of the functions wrote rows under the name of one.",
      'parse @message /:(?<user>[^:@]*)@(?<database>[^:]*):\\[\\d+\\]:.*?:(?<application>[^:]+):?LOG:  AUDIT: SESSION,\\d+,\\d+,(?<class>[A-Z]+),(?<command>[^,]*),[^,]*,[^,]*,(?<statement>.*)/',
      `| filter ispresent(command) and (class != "READ" or statement like "AUDIT: SESSION,") and (class != "WRITE" or user not in [${quoted(PLATFORM_USERS)}] or application not in [${quoted(PLATFORM_APPLICATIONS)}])`,
      '| fields @timestamp, user, application, database, class, command, statement',
      '| sort @timestamp desc',
      '| limit 200',
    ],
  },
  {
    id: 'DatabaseReads',
    title: 'Who read what in the database',
    over: 'databases',
    lines: [
      "# pgaudit's records of reads, one for each table or view (object) of a statement. ops access apply has them made for people; those of the functions are left out.",
      'parse @message /:(?<user>[^:@]*)@(?<database>[^:]*):\\[\\d+\\]:.*?:(?<application>[^:]+):?LOG:  AUDIT: SESSION,\\d+,\\d+,READ,(?<command>[^,]*),[^,]*,(?<object>[^,]*),(?<statement>.*)/',
      `| filter ispresent(command) and (user not in [${quoted(PLATFORM_USERS)}] or application not in [${quoted(PLATFORM_APPLICATIONS)}])`,
      '| fields @timestamp, user, application, database, command, object, statement',
      '| sort @timestamp desc',
      '| limit 200',
    ],
  },
];
