import { ConnectionLostError } from '../../../core/database/reusable-connection';
import { batch, createProcessorSite, SIZE, type ProcessorSite } from '../../factories/processor-batch';

let site: ProcessorSite;

beforeEach(async () => {
  site = await createProcessorSite();
});
afterEach(() => site.remove());

describe('of a batch with one event whose row raises', () => {
  /** Makes storing of one subscription raise an error. */
  const raising = (code: string) =>
    site.client.query(`
      CREATE FUNCTION billing.raise() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'planted' USING ERRCODE = '${code}'; END $$;
      CREATE TRIGGER raise BEFORE INSERT OR UPDATE ON billing.subscriptions
        FOR EACH ROW WHEN (new.id = 'sub_13') EXECUTE FUNCTION billing.raise()`);

  test.each(['P0001', 'XX001', 'XX000', '53400', '57014', '22000', '23514'])(
    '%s, the others are applied, and the event fails with its attempt counted',
    async (code) => {
      await raising(code);
      const summary = await site.processMessages(batch(1));

      expect(summary).toMatchObject({ processed: SIZE - 1, failed: 1, deferred: 0 });
      expect(summary.response.batchItemFailures).toEqual([{ itemIdentifier: 'm13' }]);
      expect(await site.ledger()).toEqual([{ id: 'evt_1_13', status: 'failed', attempts: 1 }]);
    },
  );

  test.each(['55P03', '42883'])('%s, the others are applied, and the event is tried again later', async (code) => {
    await raising(code);

    expect(await site.processMessages(batch(1))).toMatchObject({ processed: SIZE - 1, failed: 0, deferred: 1 });
    expect(await site.ledger()).toEqual([]);
  });

  test.each(['53100', '57P03', '08006', '25006'])(
    '%s, which is the database being away, the whole batch is delivered again and no attempt is counted',
    async (code) => {
      await raising(code);

      const failure = await site.processMessages(batch(1)).catch((error: unknown) => error);
      expect(failure instanceof ConnectionLostError ? failure.cause : failure).toMatchObject({ code });
      expect(await site.ledger()).toEqual([]);
    },
  );
});
