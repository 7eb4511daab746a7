import type { HttpServer } from '../runtime/http-server';
import { linesOf, type FunctionLog } from './function-logs';
import { ServiceError, startJsonService, type ServiceInput } from './json-service';

const MAX_REQUEST_BYTES = 65_536;
/** Most events of an answer, and their size: CloudWatch's limits. */
const MAX_EVENTS = 10_000;
const MAX_ANSWER_BYTES = 1 << 20;
const STREAM = 'local';

/**
 * Serves the logs of the functions as CloudWatch Logs does: DescribeLogGroups, and FilterLogEvents by time and by words, for
 * the SDK and for `aws logs tail`.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
 */
export async function startCloudWatchLogs(logs: readonly FunctionLog[]): Promise<HttpServer> {
  return startJsonService({
    maxRequestBytes: MAX_REQUEST_BYTES,
    act(action, input) {
      if (action === 'DescribeLogGroups') return describeGroups(logs, input);
      if (action === 'FilterLogEvents') return filterEvents(logs, input);
      throw new ServiceError(
        'InvalidOperationException',
        `This stand-in for CloudWatch Logs has DescribeLogGroups and FilterLogEvents, and no ${action}.`,
      );
    },
  });
}

function describeGroups(logs: readonly FunctionLog[], { logGroupNamePrefix = '' }: ServiceInput): object {
  const found = logs.filter(({ group }) => group.startsWith(String(logGroupNamePrefix)));
  return { logGroups: found.map(({ group }) => ({ logGroupName: group })) };
}

function filterEvents(logs: readonly FunctionLog[], input: ServiceInput): object {
  const name = input.logGroupName ?? input.logGroupIdentifier;
  const log = logs.find(({ group }) => group === name);
  if (log === undefined) {
    throw new ServiceError('ResourceNotFoundException', `The specified log group does not exist: ${String(name)}`);
  }
  if (Array.isArray(input.logStreamNames) && !input.logStreamNames.includes(STREAM)) {
    throw new ServiceError('ResourceNotFoundException', 'The specified log stream does not exist.');
  }
  const { startTime = 0, endTime = Number.MAX_SAFE_INTEGER, limit = MAX_EVENTS } = input;
  const words = wordsOf(input.filterPattern);
  const events: object[] = [];
  let size = 0;
  for (const { offset, message, timestamp } of linesOf(log, Number(input.nextToken ?? 0))) {
    if (events.length >= Number(limit) || size > MAX_ANSWER_BYTES) return { events, nextToken: String(offset) };
    if (timestamp < Number(startTime) || timestamp >= Number(endTime)) continue;
    if (!words.every((word) => message.includes(word))) continue;
    size += message.length;
    const eventId = String(offset).padStart(20, '0');
    events.push({ logStreamName: STREAM, timestamp, ingestionTime: timestamp, message, eventId });
  }
  return { events };
}

/** The words of a pattern, all of which a line must have. @throws ServiceError for the other kinds of patterns */
function wordsOf(pattern: unknown): string[] {
  const text = typeof pattern === 'string' ? pattern.trim() : '';
  const words = [...text.matchAll(/"([^"]+)"|([\w.:/-]+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
  if (/^[{[%]|(^|\s)[?-]/.test(text) || (text !== '' && words.length === 0)) {
    throw new ServiceError(
      'InvalidParameterException',
      `Here a filter pattern has words and quoted texts only: ${text}`,
    );
  }
  return words;
}
