import { setTimeout as sleep } from 'node:timers/promises';
import { defineCommand } from '../command';
import { configurationOf } from '../discover';
import { explain } from '../errors';
import { readLogLine } from '../log-line';
import { flag, optional, required, text, time } from '../values';

const DEFAULT_SINCE_MS = 3 * 3_600_000;
const POLL_MS = 2_000;

export const logs = defineCommand({
  name: 'logs',
  summary: 'Prints the log of a function, without its metrics',
  effect: 'reads',
  changes: 'nothing.',
  json: 'a list of the JSON lines of the log; with --follow, nothing at the end',
  arguments: { function: required(text('function'), 'The function, such as processor') },
  options: {
    since: optional(time(), 'First moment to print. Default: 3 hours ago'),
    errors: flag('Only warnings and errors'),
    follow: flag('Wait for further lines until Ctrl-C'),
  },
  examples: [
    { line: 'logs processor --since 1h --errors', explains: 'Why did events fail in the last hour?' },
    { line: 'logs reconciliation --follow', explains: 'Watch a run.' },
  ],
  async run(context, { function: stem, since, errors, follow }) {
    const { clients, target, style, signal, now } = context;
    const client = await clients.cloudWatchLogs();
    const { logGroup } = await configurationOf(context, stem, { isTyped: true });
    const { paginateFilterLogEvents } = await import('@aws-sdk/client-cloudwatch-logs');
    const lines: string[] = [];
    const report: object[] = [];
    const seen = new Set<string>();
    let startTime = since === undefined ? now().getTime() - DEFAULT_SINCE_MS : Date.parse(since);
    try {
      do {
        const pages = paginateFilterLogEvents(
          { client },
          { logGroupName: logGroup, startTime },
          { abortSignal: signal },
        );
        for await (const { events = [] } of pages) {
          for (const { eventId = '', message = '', timestamp = startTime } of events) {
            if (seen.has(eventId)) continue;
            seen.add(eventId);
            startTime = Math.max(startTime, timestamp);
            const line = readLogLine(message, new Date(timestamp), style);
            if (line === undefined || (errors && !line.needsAttention)) continue;
            if (follow) {
              context.stream(line.text);
              continue;
            }
            lines.push(line.text);
            report.push(line.content);
          }
        }
        if (follow) await sleep(POLL_MS, undefined, { signal });
      } while (follow);
    } catch (cause) {
      throw explain(cause, `read the log of ${stem}`, target.label);
    }
    return { report, lines };
  },
});
