import { FUNCTION_LOGINS, LOGIN_USERS, type FunctionLogin } from '../../../core/access/contract';
import { DATABASE_NAMES, type DatabaseName } from '../../../core/contract';
import { COLLECTOR_METRICS, type WatchedSecret } from '../../../lambdas/collector/contract';
import { ROTATION_GRACE_DAYS, SECRET_ROTATION_DAYS } from '../../../lambdas/inspect/contract';
import { isRotated, type DatabaseConfig } from '../database-settings';
import { rotationStem } from '../rotation';
import type { EnvironmentConfig } from '../environment-schema';
import type { AlarmDefinition } from './alarm-definition';
import { highestOf } from './alarm-metric';
import { AGE_FOR_AN_HOUR, ANY_WITHIN_AN_HOUR, DAY_SECONDS } from './job-alarms';

/** The alarms on passwords and keys that have to change, and on what changes them. */
export function secretAlarms({ databases }: EnvironmentConfig): AlarmDefinition[] {
  return [
    ...DATABASE_NAMES.map(passwordAlarm),
    ...DATABASE_NAMES.filter((name) => isRotated(databases[name])).flatMap((name) => [
      rotationAlarm(name),
      ...loginsOf(name, databases[name]).map((login) => rotationAlarm(name, login)),
    ]),
    ...(['api', 'signing'] as const).map(stripeSecretAlarm),
  ];
}

const secretAge = (secret: WatchedSecret) => highestOf('collector', COLLECTOR_METRICS.secretAgeSeconds, { secret });

function passwordAlarm(database: DatabaseName): AlarmDefinition {
  return {
    ...AGE_FOR_AN_HOUR,
    name: `passwordNotRotated-${database}`,
    measure: 'Age of the password',
    thresholds: { warning: (SECRET_ROTATION_DAYS + ROTATION_GRACE_DAYS) * DAY_SECONDS },
    metric: secretAge(`${database}-database`),
    symptom: `A password of the ${database} database, of its owner or of a login of functions, was not rotated within ${SECRET_ROTATION_DAYS} days`,
    action: 'Find which with `ops secrets list`, rotate it by hand and read the log of its rotation function.',
    owner: 'data',
    runbookAnchor: 'password-not-rotated',
    consolePage: 'secrets',
  };
}

/** Logins of functions whose passwords change by themselves, in a database whose own does. */
function loginsOf(database: DatabaseName, { logins }: DatabaseConfig): readonly FunctionLogin[] {
  return logins === 'owner' ? [] : FUNCTION_LOGINS.filter((login) => LOGIN_USERS[database][login] !== undefined);
}

function rotationAlarm(database: DatabaseName, login?: FunctionLogin): AlarmDefinition {
  const stem = rotationStem(database, login);
  return {
    ...ANY_WITHIN_AN_HOUR,
    name: `rotationFailed-${database}${login ? `-${login}` : ''}`,
    measure: 'Failed steps of the rotation',
    thresholds: { warning: 0 },
    metric: { from: 'lambda', stem, name: 'Errors' },
    symptom: `A step of the rotation of the ${database} database's password${login ? ` for the login ${login}` : ''} failed; Secrets Manager tries again for two days`,
    action: 'Read the log of the rotation function, and check that the other functions still connect.',
    owner: 'data',
    runbookAnchor: 'password-not-rotated',
    consolePage: { functionOf: stem },
  };
}

function stripeSecretAlarm(secret: 'api' | 'signing'): AlarmDefinition {
  return {
    ...AGE_FOR_AN_HOUR,
    name: `stripeSecretOld-${secret}`,
    measure: 'Age of the secret',
    thresholds: { warning: SECRET_ROTATION_DAYS * DAY_SECONDS },
    metric: secretAge(`stripe-${secret}`),
    symptom: `Stripe's ${secret === 'api' ? 'API key' : 'signing secret'} is older than ${SECRET_ROTATION_DAYS} days, and Stripe does not roll it by itself`,
    action: 'Roll it in the Stripe dashboard and put the new value into the secret.',
    owner: 'billing',
    runbookAnchor: 'stripe-secret-old',
    consolePage: 'secrets',
  };
}
