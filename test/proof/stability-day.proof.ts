import { PurgeQueueCommand, SendMessageBatchCommand } from '@aws-sdk/client-sqs';
import path from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { alarmsOf } from '../../lib/config/alarms/alarms';
import { alarmSuffix, thresholdsOf } from '../../lib/config/alarms/alarm-definition';
import { pageRules } from '../../lib/config/alarms/causes';
import { ERROR_CODES } from '../../core/runtime/error-codes';
import { startStabilityPage, type StabilityPage } from '../factories/stability-page';
import { replayEvents, stripeWork } from '../factories/stripe-work';
import { chromiumPath } from '../support/chromium';
import { exampleEnvironment } from '../support/example-environments';

/** A day of the platform, simulated by its clock and read on the page at the end of each hour, as a founder would. */
const SCREENSHOTS = process.env.STABILITY_SCREENSHOTS;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const DAY = new Date(Math.floor(Date.now() / (24 * HOUR_MS)) * 24 * HOUR_MS - 24 * HOUR_MS).getTime();
/** Events of each hour, from midnight on. */
const TRAFFIC = [
  12, 8, 6, 5, 6, 9, 18, 34, 62, 85, 96, 104, 110, 98, 92, 88, 95, 120, 140, 150, 132, 90, 48, 24,
] as const;

const PRODUCTION = alarmsOf(exampleEnvironment('production'));
/** Alarms whose critical severity pages by a composite alarm. */
const PAGED = pageRules(PRODUCTION);

const executablePath = chromiumPath();
let now = DAY;
const at = (hour: number, minute = 0): Date => new Date(DAY + hour * HOUR_MS + minute * MINUTE_MS);
let stability: StabilityPage;
let browser: Browser;
let page: Page;
/** When the oldest event in the queue was sent, and how many messages are parked. */
const queue = { oldestMs: Number.NaN, parked: 0 };

beforeAll(async () => {
  if (executablePath === undefined) return;
  [stability, browser] = await Promise.all([
    startStabilityPage({ clock: () => new Date(now), hasCanary: false }),
    chromium.launch({ executablePath, args: ['--no-sandbox'] }),
  ]);
  await stability.api.client.query(
    `DELETE FROM billing.reconciliation_findings; DELETE FROM billing.reconciliation_runs; DELETE FROM operations.drills`,
  );
  await reconcile(at(-22), []);
  stability.newestArchive = at(0).toISOString();
  page = await (
    await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce' })
  ).newPage();
  page.setDefaultTimeout(20_000);
  await page.goto(stability.url);
  await page.evaluate(`sessionStorage.setItem('stability-key', '${stability.adminKey}')`);
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await stability?.stop();
});

/** Events that were applied two seconds after they arrived, or at `appliedAt`. */
async function apply(hour: number, count: number, appliedAt?: Date): Promise<void> {
  await stability.api.client.query(
    `INSERT INTO billing.webhook_events
       (id, type, livemode, source, status, attempts, occurred_at, received_at, processed_at, object_id, payload)
     SELECT 'evt_day_' || $1::text || '_' || number || coalesce($4::text, ''), 'invoice.paid', true, 'webhook', 'processed', 1,
       made, made + interval '1 second', coalesce($4::timestamptz, made + interval '3 seconds'), 'in_' || number, '{}'
     FROM (SELECT number, $3::timestamptz + number * interval '58 minutes' / $2::int AS made
           FROM generate_series(0, $2::int - 1) AS number) AS events`,
    [hour, count, at(hour), appliedAt ?? null],
  );
}

async function fail(hour: number, kind: 'mended' | 'broken', count: number): Promise<void> {
  for (let number = 0; number < count; number += 1) await stability.addFailed(`evt_${kind}_${number}`, kind);
  await stability.api.client.query(
    `UPDATE billing.webhook_events SET occurred_at = $1, received_at = $1 WHERE status = 'failed' AND id LIKE $2`,
    [at(hour, 10), `evt_${kind}%`],
  );
}

async function reconcile(startedAt: Date, differing: readonly string[]): Promise<void> {
  const found = differing.length;
  await stability.api.client.query(
    `WITH run AS (
       INSERT INTO billing.reconciliation_runs
         (status, dry_run, window_start, started_at, finished_at, events_missed, drift_detected, corrected)
       VALUES ('complete', false, $1, $1, $1::timestamptz + interval '40 seconds', 0, $2, $2) RETURNING id)
     INSERT INTO billing.reconciliation_findings
       (run_id, kind, object_type, object_id, field, local_value, stripe_value, corrected)
     SELECT id, 'field_differs', 'subscription', object, 'status', 'active', 'canceled', true
     FROM run, unnest($3::text[]) AS object`,
    [startedAt, found, differing],
  );
}

async function send(to: 'events' | 'parked', count: number): Promise<void> {
  const { sqs, [to]: QueueUrl } = stability.queues;
  for (let sent = 0; sent < count; sent += 10) {
    const Entries = Array.from({ length: Math.min(10, count - sent) }, (_, index) => ({
      Id: String(index),
      MessageBody: '{}',
    }));
    await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
  }
}

const purge = (which: 'events' | 'parked') =>
  stability.queues.sqs.send(new PurgeQueueCommand({ QueueUrl: stability.queues[which] }));

/** Raises what the thresholds of production say about what was measured, with their own texts. */
async function watch(hour: number): Promise<void> {
  const { rows } = await stability.api.client.query<{ failed: number }>(
    `SELECT count(*)::int AS failed FROM billing.webhook_events WHERE status = 'failed' AND occurred_at >= $1`,
    [at(hour)],
  );
  const measured: Readonly<Record<string, number>> = {
    eventQueueAge: (now - queue.oldestMs) / 1_000,
    eventsParked: queue.parked,
    webhookFailures: (100 * (rows[0]?.failed ?? 0)) / (TRAFFIC[hour] ?? 1),
    'backupMissing-billing': (now - Date.parse(stability.newestArchive)) / 1_000,
  };
  const raised = PRODUCTION.flatMap((alarm) =>
    thresholdsOf(alarm)
      .filter(([, threshold]) => (measured[alarm.name] ?? 0) > threshold)
      .map(([severity]) => ({ alarm, severity, isPaged: severity === 'critical' && PAGED.has(alarm.name) })),
  );
  const described = ({ alarm, severity }: (typeof raised)[number], name: string, AlarmActions: string[]) => ({
    AlarmName: `BillingOps-test-${name}`,
    AlarmActions,
    StateTransitionedTimestamp: new Date(now - 5 * MINUTE_MS),
    StateReason: `${alarm.measure}: ${measured[alarm.name]?.toFixed(0)} ${alarm.unit}`,
    AlarmDescription: `${alarm.symptom} (test, ${severity}).\nDo first: ${alarm.action}`,
  });
  const topics = ['arn:aws:sns:eu-central-1:000000000000:alerts'];
  stability.alarms = {
    metric: raised.map((one) => described(one, alarmSuffix(one.alarm, one.severity), one.isPaged ? [] : topics)),
    composite: raised.filter(({ isPaged }) => isPaged).map((one) => described(one, `${one.alarm.name}-page`, topics)),
  };
}

interface Event {
  /** What happens in the hour besides its traffic. */
  readonly happens?: () => Promise<unknown>;
  /** Events of the hour that are not applied by its end. */
  readonly missing?: number;
  /** What needs attention at its end. @default nothing */
  readonly attention?: string;
}

const STORY: Readonly<Record<number, Event>> = {
  2: { happens: () => reconcile(at(2), ['sub_a', 'sub_b', 'sub_c']) },
  6: { happens: async () => (stability.newestArchive = at(6).toISOString()) },
  9: {
    // The database is gone for 50 minutes; the page says so, and what arrives waits in the queue.
    happens: async () => {
      await send('events', 70);
      queue.oldestMs = at(9, 5).getTime();
      stability.isFailing = true;
      await page.reload();
      await page.getByText(ERROR_CODES.database_unavailable.meaning).first().waitFor();
      stability.isFailing = false;
    },
    missing: 70,
    attention: '2 alarms raised',
  },
  10: {
    happens: async () => {
      await purge('events');
      queue.oldestMs = Number.NaN;
      await apply(9, 70, at(10, 4));
    },
  },
  12: { happens: async () => (stability.newestArchive = at(12).toISOString()) },
  13: {
    happens: async () => {
      await fail(13, 'mended', 10);
      await fail(13, 'broken', 2);
    },
    missing: 12,
    attention: '2 alarms raised, 12 events failed',
  },
  14: {
    // The founder retries all, on the page; two events stay broken.
    happens: async () => {
      await page.getByRole('link', { name: 'show, retry' }).click();
      await page.getByRole('button', { name: 'Retry all failed' }).click();
      await page.getByRole('button', { name: 'Retry', exact: true }).click();
      await page.getByText('10 applied, 2 failed again').or(page.getByText('2 failed again, 10 applied')).waitFor();
      await page.getByRole('button', { name: 'Close' }).click();
      await page.getByRole('link', { name: 'Overview', exact: true }).first().click();
      await stability.api.client.query(`UPDATE billing.webhook_events SET processed_at = $1 WHERE processed_at > $1`, [
        at(14, 20),
      ]);
    },
    attention: '2 events failed',
  },
  15: {
    happens: async () => {
      await send('parked', 3);
      queue.parked = 3;
      const [events, reason, by] = [['evt_broken_0', 'evt_broken_1'], 'test orders', 'ada'];
      await replayEvents(stripeWork({ url: 'http://127.0.0.1:9' } as never, stability.api.client), {
        action: 'dismiss',
        events,
        reason,
        by,
        dryRun: false,
      });
    },
    attention: '1 alarm raised, 3 messages parked',
  },
  16: {
    happens: async () => {
      await purge('parked');
      queue.parked = 0;
      await stability.api.client.query(
        `INSERT INTO operations.drills (started_at, outcome, row_count, duration_ms, target_ms)
         VALUES ($1, 'passed', 411204, 184000, 3600000)`,
        [at(16)],
      );
    },
  },
  // The backup of 18:00 does not come.
  19: { attention: '1 alarm raised' },
  20: { attention: '1 alarm raised, 1 job late' },
  21: { happens: async () => (stability.newestArchive = at(21, 12).toISOString()) },
};

async function live(hour: number): Promise<void> {
  const { happens, missing = 0 } = STORY[hour] ?? {};
  now = at(hour, 30).getTime();
  await apply(hour, (TRAFFIC[hour] ?? 0) - missing);
  await happens?.();
  now = at(hour, 59).getTime();
  await stability.api.client.query(
    `INSERT INTO billing.job_successes SELECT job, $1 FROM unnest(ARRAY['collector', 'refresh', 'cleanup']) AS job
     ON CONFLICT (job) DO UPDATE SET succeeded_at = excluded.succeeded_at`,
    [at(hour, 58)],
  );
  await watch(hour);
}

/** What a founder reads: the sentence on top, and the row of an hour in the table of the chart. */
async function read(hour: number): Promise<readonly (string | undefined)[]> {
  await page.reload();
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  const verdict = (await page.locator('p.verdict').innerText()).replaceAll(/\s+/g, ' ');
  const row = page.locator(`tr[data-key="${String(hour).padStart(2, '0')}:00"] td`);
  return [verdict, ...(await row.allTextContents())];
}

const found = (attention: string | undefined): string =>
  attention === undefined ? 'All is well. Nothing failed, nothing waits too long.' : `Needs attention: ${attention}.`;

(executablePath === undefined ? describe.skip : describe)('a day on the Stability page', () => {
  test('says at the end of each hour what needs attention, and what became of its events', async () => {
    for (const [hour, received] of TRAFFIC.entries()) {
      await live(hour);
      const { missing = 0, attention } = STORY[hour] ?? {};
      const failed = hour === 13 ? missing : 0;
      expect([hour, ...(await read(hour))]).toEqual([
        hour,
        found(attention),
        String(received - missing),
        String(failed),
        '0',
      ]);
      if (SCREENSHOTS !== undefined && hour === 13)
        await page.screenshot({ path: path.join(SCREENSHOTS, 'stability-incident.png') });
    }
  }, 120_000);

  test('has mended every hour at midnight, and shows what was backed up, drilled, compared and decided', async () => {
    for (const [hour, received] of TRAFFIC.entries()) {
      const row = page.locator(`tr[data-key="${String(hour).padStart(2, '0')}:00"] td`);
      expect([hour, ...(await row.allTextContents())]).toEqual([hour, String(received), '0', '0']);
    }
    if (SCREENSHOTS !== undefined) await page.screenshot({ path: path.join(SCREENSHOTS, 'stability-day.png') });
    const open = async (view: string): Promise<string> => {
      await page.getByRole('link', { name: view, exact: true }).first().click();
      await page.getByRole('heading', { level: 1, name: view }).waitFor();
      return page.locator('#content').innerText();
    };
    expect(await open('Backups')).toMatch(/passed/);
    const compared = await open('Reconciliation');
    for (const id of ['sub_a', 'sub_b', 'sub_c']) expect(compared).toContain(id);
    const records = stability.api.asked.filter(({ stem }) => stem === 'audit').map(({ request }) => request);
    expect(records).toEqual([
      expect.objectContaining({ action: 'begin', command: expect.stringContaining('API: retry evt_') }),
      expect.objectContaining({ action: 'finish', result: 'finding' }),
    ]);
  }, 60_000);
});
