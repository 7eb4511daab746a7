import { Metrics } from '@aws-lambda-powertools/metrics';
import { addFinishedDrill } from '../../../lambdas/drill/metrics';

const published = (deviations: number | null, schemaDifferences: number | null) => {
  const metrics = new Metrics({ namespace: 'test', serviceName: 'drill' });
  addFinishedDrill(metrics, { durationMs: 60_000, targetPercent: 2, deviations, schemaDifferences });
  return metrics.serializeMetrics();
};

test('the findings of a drill are published as the sum of both kinds, and as 0 when there are none', () => {
  expect(published(2, 3)).toMatchObject({ DrillSucceeded: 1, DrillTargetPercent: 2, DrillFindings: 5 });
  expect(published(0, 0)).toMatchObject({ DrillFindings: 0 });
});

test('unknown findings are not published, so that the alarm keeps its state', () => {
  expect(published(null, null)).not.toHaveProperty('DrillFindings');
});
