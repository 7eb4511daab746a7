import { CONFIRMATIONS_METRICS } from '../../../lambdas/confirmations/contract';
import { countOf, highestOf } from '../alarms/alarm-metric';
import { divided, type AlarmNamed, type Section, type Widget } from './widget';

const HOUR_SECONDS = 3600;
const MINUTE_SECONDS = 60;

/** How payments in bitcoin and their node are, where the environment takes them. */
export function bitcoinSection(alarm: AlarmNamed): Section {
  const gauge = (title: string, unit: string, divisor: number, name: string, metric: string): Widget => ({
    title,
    unit,
    divisor,
    alarm: alarm(name),
    lines: [{ label: title, metric: divided(highestOf('confirmations', metric), divisor, title) }],
  });
  return {
    title: 'Are payments in bitcoin settled?',
    hint: 'How long payments take, and how far the node is.',
    widgets: [
      gauge(
        'Oldest payment under way',
        'h',
        HOUR_SECONDS,
        'bitcoinPending',
        CONFIRMATIONS_METRICS.oldestUnsettledSeconds,
      ),
      gauge('Mean time to settlement', 'min', MINUTE_SECONDS, 'bitcoinSlow', CONFIRMATIONS_METRICS.confirmationSeconds),
      gauge('Age of the last block', 'min', MINUTE_SECONDS, 'bitcoinNodeBehind', CONFIRMATIONS_METRICS.blockAgeSeconds),
      {
        title: 'Payments lost, blocks taken back',
        unit: 'count',
        periodSeconds: HOUR_SECONDS,
        lines: [
          { label: 'payments failed or late', metric: countOf('confirmations', CONFIRMATIONS_METRICS.paymentsLost) },
          {
            label: 'deepest reorganisation',
            metric: highestOf('confirmations', CONFIRMATIONS_METRICS.reorganisationDepth),
          },
        ],
      },
      {
        title: 'Runs that failed',
        unit: 'runs',
        lines: [
          { label: 'failed', metric: countOf('confirmations', CONFIRMATIONS_METRICS.failed) },
          { label: 'node not reached', metric: countOf('confirmations', CONFIRMATIONS_METRICS.nodeUnreachable) },
        ],
      },
      {
        title: 'Duration of runs',
        unit: 'ms',
        lines: [{ label: 'longest', metric: highestOf('confirmations', CONFIRMATIONS_METRICS.durationMs) }],
      },
    ],
  };
}
