import type { RowRecoveryReportRequest } from '../../lambdas/row-recovery/contract';
import { check } from '../pass/check';
import type { Step } from '../pass/steps';
import type { ScenarioContext } from './scenario';

const TABLES = ['billing.subscriptions', 'billing.subscription_items'];

/** Rows are deleted by accident, and merged back from the archive that was made before. */
export const mergeLostRows: Step<ScenarioContext> = {
  title: 'Delete subscriptions, and merge them back from the archive',
  async run({ platform, billing }, tell) {
    const content = async (): Promise<string> => {
      const { rows } = await billing.query<{ content: string }>(
        `SELECT coalesce(string_agg(s::text, E'\\n' ORDER BY s.id), '') AS content FROM billing.subscriptions s`,
      );
      return rows[0]?.content ?? '';
    };
    const before = await content();
    const { rowCount: lost } = await billing.query('DELETE FROM billing.subscriptions');
    check(lost !== null && lost > 0, 'there were no subscriptions to delete');
    tell(`${lost} subscriptions deleted`);
    const request: RowRecoveryReportRequest = {
      action: 'report',
      database: 'billing',
      archive: 'latest',
      tables: TABLES,
    };
    const report = (await platform.invoke('row-recovery', request)) as { reportId: string; deleted: number };
    tell(`report ${report.reportId}: ${report.deleted} rows are in the archive and no longer in the tables`);
    const { reportId } = report;
    const merge = { action: 'merge', database: 'billing', reportId, choose: 'deleted', confirm: 'billing' };
    const { inserted } = (await platform.invoke('row-recovery', merge)) as { inserted: number };
    check(inserted === report.deleted, `${inserted} of ${report.deleted} rows were merged back`);
    check((await content()) === before, 'the subscriptions differ from those before the deletion');
    tell(`${inserted} rows merged back; the subscriptions are byte for byte as before`);
  },
};
