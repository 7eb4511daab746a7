import type { createPublicKey } from 'node:crypto';
import { DATABASE_NAMES, type DatabaseName, GRACE_HOURS } from '../../core/contract';
import { ERASURE_PREFIX } from '../../core/erasure/contract';
import type { RestoreEnvironment } from '../../lambdas/restore/contract';
import type { Context } from '../context';
import { variableOf } from '../discover';
import { checkInto, type Finding, good, judged, wrong } from '../doctor/finding';
import { explain } from '../errors';
import { counted, moment, span } from '../print/units';
import { checkConfiguration, checkQuotas } from './account-there';
import { checkKeys, checkStack, recoveryPointOf } from './copies-there';
import { type CopiedArchive, newestCopy, objectsUnder, readObject } from './copied-archives';
import type { SecondRegion } from './place';
import { checkSecrets } from './secrets-there';

/** Hours between two archives of each database, as in `lib/config/policies.ts`: what may be lost with a region. */
export const ARCHIVE_HOURS: Readonly<Record<DatabaseName, number>> = { billing: 6, main: 24 };
/** Minutes by which an object of the first bucket may lack its copy: `archiveCopiesLate` pages after as many. */
const COPY_MINUTES = 60;

/** What of one database would be there if the first region were lost now. */
export interface RecoveryPointObjective {
  readonly database: DatabaseName;
  /** ISO time of the rows of the newest archive that is whole there. */
  readonly archive: string | null;
  /** ISO time of the newest recovery point there. */
  readonly recoveryPoint: string | null;
  /** Seconds of writes that would be lost: since the newer of both. */
  readonly seconds: number | null;
  readonly promisedSeconds: number;
}

/** What a recovery in the second region would find. */
export interface RegionLossReport {
  readonly environment: string;
  readonly region: string;
  readonly bucket: string;
  readonly checkedAt: string;
  readonly rpo: readonly RecoveryPointObjective[];
  readonly findings: readonly Finding[];
}

/** What the checks found, with the archives that a recovery would restore. */
export interface Checked {
  readonly report: RegionLossReport;
  readonly archives: ReadonlyMap<DatabaseName, CopiedArchive>;
  /** Whether the ledger could be read, whatever it lacks. */
  readonly isLedgerRead: boolean;
}

export interface CheckOptions {
  /** Public half of the key that signs archives. @default - signatures are not checked */
  readonly publicKey: ReturnType<typeof createPublicKey> | undefined;
  /** Compare nothing with the first region. */
  readonly withoutFirst: boolean;
  /** Environment that takes the place of the lost one. @default - any whose settings name the second region */
  readonly into: string | undefined;
}

/** Looks at everything that a recovery in the second region needs there. It changes nothing. */
export async function checkSecondRegion(
  context: Context,
  place: SecondRegion,
  options: CheckOptions,
): Promise<Checked> {
  const findings: Finding[] = [];
  const archives = new Map<DatabaseName, CopiedArchive>();
  const rpo: RecoveryPointObjective[] = [];
  const make = checkInto(findings, context, (check, error) => unreadable(check, error, place));
  const attempt = async (check: string, look: () => Promise<readonly Finding[]>): Promise<void> => {
    context.note(`${check} …`);
    await make(check, look);
  };
  await attempt('stack of the copies', () => checkStack(place));
  await attempt('keys', () => checkKeys(place));
  for (const database of DATABASE_NAMES) {
    let archive: string | null = null;
    let recoveryPoint: string | null = null;
    await attempt(`archive of ${database}`, async () => {
      const { whole, findings: found } = await checkArchive(context, place, database, options);
      if (whole) archives.set(database, whole);
      archive = whole?.rowsOf ?? null;
      return found;
    });
    await attempt(`recovery point of ${database}`, async () => {
      const { takenAt, finding } = await recoveryPointOf(context, place, database, ARCHIVE_HOURS[database]);
      recoveryPoint = takenAt;
      return [finding];
    });
    rpo.push(objectiveOf(database, archive, recoveryPoint, context.now()));
  }
  let isLedgerRead = false;
  await attempt('ledger of erasures', async () => {
    const found = await checkLedger(context, place, options);
    isLedgerRead = true;
    return found;
  });
  await attempt('secrets', () => checkSecrets(context, place, options));
  await attempt('configuration', async () => [await checkConfiguration(place, options.into)]);
  await attempt('quotas', () => checkQuotas(context, place, options));
  const { environment } = context.target;
  const { region, bucket } = place;
  return {
    report: { environment, region, bucket, checkedAt: context.now().toISOString(), rpo, findings },
    archives,
    isLedgerRead,
  };
}

/** A check that could not be made, so that it is not known whether a recovery would succeed. */
function unreadable(check: string, error: unknown, { target }: SecondRegion): Finding {
  const { message } = explain(error, `look at the ${check}`, target.label);
  return wrong(check, message, 'put right what the line names, and check again');
}

function objectiveOf(
  database: DatabaseName,
  archive: string | null,
  recoveryPoint: string | null,
  now: Date,
): RecoveryPointObjective {
  const newest = [archive, recoveryPoint]
    .flatMap((at) => at ?? [])
    .toSorted()
    .at(-1);
  const seconds = newest === undefined ? null : Math.max(0, Math.round((now.getTime() - Date.parse(newest)) / 1000));
  return { database, archive, recoveryPoint, seconds, promisedSeconds: ARCHIVE_HOURS[database] * 3600 };
}

async function checkArchive(
  { now }: Context,
  place: SecondRegion,
  database: DatabaseName,
  { publicKey }: CheckOptions,
): Promise<{ readonly whole: CopiedArchive | undefined; readonly findings: Finding[] }> {
  const check = `archive of ${database}`;
  const { whole, incomplete } = await newestCopy(await place.clients.s3(), place.bucket, database, publicKey);
  const newer = incomplete.length === 0 ? '' : `; newer: ${incomplete[0]}`;
  const fix = 'docs/runbook.md#archive-copies: look at the replication, and replicate what is missing';
  if (whole === undefined) return { whole, findings: [wrong(check, `none is whole${newer}`, fix)] };
  const ageHours = (now().getTime() - Date.parse(whole.rowsOf)) / 3_600_000;
  const limit = ARCHIVE_HOURS[database] + GRACE_HOURS;
  const isElsewhere = whole.keyRegion !== undefined && whole.keyRegion !== place.region;
  return {
    whole,
    findings: [
      isElsewhere
        ? wrong(
            check,
            `${whole.slot} is encrypted under a key of ${whole.keyRegion}`,
            'deploy Data again: its replication encrypts copies under the key of the second region; then copy again',
          )
        : judged(
            check,
            ageHours <= limit,
            `${moment(whole.rowsOf, now())}, ${counted(whole.rows, 'row')}, all of ${whole.keys.length} objects${newer}`,
            `older than ${limit} h. ops backup ${database}, if the first region has none either; else ${fix}`,
          ),
      signatureFinding(whole),
    ],
  };
}

function signatureFinding({ database, signature, slot }: CopiedArchive): Finding {
  const check = `signature of ${database}`;
  switch (signature) {
    case 'valid':
      return good(check, 'that of the key whose public half was given');
    case 'unchecked':
      return {
        check,
        state: 'skipped',
        detail: 'without --public-key: that of docs/deploy.md, step 11, which a recovery needs',
        fix: null,
      };
    default:
      return wrong(
        check,
        `that of ${slot} is ${signature}`,
        'give the public key of this environment; if it is, docs/runbook.md#archive-not-authentic',
      );
  }
}

/** The ledger there: readable, and, where the first region answers, without a gap. */
async function checkLedger(context: Context, place: SecondRegion, { withoutFirst }: CheckOptions): Promise<Finding[]> {
  const check = 'ledger of erasures';
  const s3 = await place.clients.s3();
  const there = await objectsUnder(s3, place.bucket, ERASURE_PREFIX);
  const newest = [...there.keys()].toSorted().at(-1);
  if (newest !== undefined) await readObject(s3, place.bucket, newest);
  const entries = there.size === 1 ? '1 entry' : `${there.size} entries`;
  if (withoutFirst) return [good(check, `${entries}, compared with nothing`)];
  const first = await variableOf<RestoreEnvironment>(context, 'restore', 'ARCHIVE_BUCKET');
  const here = await objectsUnder(await context.clients.s3(), first, ERASURE_PREFIX);
  const late = context.now().getTime() - COPY_MINUTES * 60_000;
  const lacking = [...here].filter(
    ([key, { LastModified }]) => !there.has(key) && (LastModified?.getTime() ?? 0) < late,
  );
  return [
    judged(
      check,
      lacking.length === 0,
      lacking.length === 0
        ? `${entries}: all that the first region has had for longer than ${span(COPY_MINUTES * 60)}`
        : `lacks ${lacking.length} of ${here.size} entries, such as ${lacking[0]?.[0]}: these people would come back`,
      'docs/runbook.md#archive-copies: replicate what is missing, with its lock',
    ),
  ];
}
