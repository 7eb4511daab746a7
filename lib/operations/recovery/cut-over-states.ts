import {
  announcing,
  erasingAgain,
  eventOf,
  explained,
  failsWhen,
  IS_LATE,
  IS_MISSING,
  IS_PASSING,
  IS_READY,
  lookAt,
  NOT_FOUND,
  RETRY_READS,
  rds,
  rdsTask,
  untilReady,
  waitingIn,
  type RecoveryDefinitionProps,
  type Stage,
  type State,
  type States,
} from './instance-recovery-states';
import { RECOVERY_POLICY } from '../../config/recovery-policy';
import { RECOVERY_EVENTS } from './recovery-events';

const NOT_REGISTERED = 'Rds.DbProxyTargetNotFoundException';
const REGISTERED_ALREADY = 'Rds.DbProxyTargetAlreadyRegisteredException';

/** Both databases are kept; which of them answers depends on the state. */
const CUTTING_OVER: Stage = {
  safe: 'No data was deleted: the former database and the recovered one are both kept, under the names above.',
  goOn: "'Start the workflow again with the input recoveredInstance = ' & $recovered & ': it continues the cut-over. Until then the database may be unreachable.'",
};
/** Only the last replay of erasures is left: people who were erased since the one before may be in the database. */
const SWITCHED: Stage = {
  safe: 'Traffic flows to the recovered instance, which took the name. People who were erased during the cut-over may still be in it.',
  goOn: "'Start the workflow again with the input recoveredInstance = ' & $recovered & ': it erases them again, changes nothing else, and repeats its last messages.'",
};
/** The name of the instance in use cannot be freed by a rename. */
function keepsTheName(id: string, hasProxy: boolean): Stage {
  const traffic = hasProxy
    ? 'Traffic flows to the recovered instance through the proxy; functions that connect directly still reach the old one.'
    : 'Nothing reaches the recovered instance yet.';
  return {
    safe: `${CUTTING_OVER.safe} ${traffic}`,
    goOn: `'RDS renames no instance in that status: repair ${id}, or delete it and keep its automated backups. Then start the workflow again with the input recoveredInstance = ' & $recovered & '.'`,
  };
}

const ERASE_LAST = 'Erase again who was erased during the cut-over';

const rename = (stage: Stage, from: string, to: string, rest: State): State =>
  rdsTask('modifyDBInstance', stage, {
    Arguments: { DbInstanceIdentifier: from, NewDBInstanceIdentifier: to, ApplyImmediately: true },
    ...rest,
  });

/** States that free the name: the old instance is renamed when it can be, and is never deleted. */
function freeingTheName({ settings, proxyName, targetMinutes }: RecoveryDefinitionProps): States {
  const id = settings.instanceIdentifier;
  const stage = keepsTheName(id, proxyName !== undefined);
  const look = 'Look at the old instance';
  const wait = 'Wait until the name is free';
  const setAside = 'Set the old instance aside';
  return {
    [look]: lookAt(id, CUTTING_OVER, 'Is the name free?'),
    'Is the name free?': {
      Type: 'Choice',
      Choices: [
        {
          Condition: `{% ${IS_MISSING} %}`,
          Next: proxyName === undefined ? 'Take the name' : 'Ask when to take the name',
        },
        failsWhen(IS_LATE, stage, {
          error: 'NameNotFree',
          cause: `'the old instance is still ' & $states.input.DbInstanceStatus & ' after ${targetMinutes} minutes'`,
        }),
        {
          Condition: `{% (${IS_READY} or $not(${IS_PASSING})) and $states.input.DbInstanceStatus != 'deleting' %}`,
          Next: setAside,
        },
      ],
      Default: wait,
    },
    [wait]: { Type: 'Wait', Seconds: RECOVERY_POLICY.pollSeconds, Next: look },
    [setAside]: rename(stage, id, '{% $former %}', {
      Catch: [{ ErrorEquals: [NOT_FOUND], Next: wait }],
      Next: wait,
    }),
  };
}

/** States that give the recovered instance the name, and so everything that refers to it: host, alarms, backups, stacks. */
function takingTheName({ settings, proxyName, targetMinutes }: RecoveryDefinitionProps): States {
  const id = settings.instanceIdentifier;
  return {
    'Take the name': rename(
      CUTTING_OVER,
      '{% $recovered %}',
      id,
      waitingIn('Wait until it answers by the name', targetMinutes),
    ),
    ...untilReady({
      wait: 'Wait until it answers by the name',
      instance: id,
      stage: CUTTING_OVER,
      targetMinutes,
      next: proxyName === undefined ? 'Note that traffic flows' : 'Give the renamed instance to the proxy',
    }),
  };
}

const noted = (next: string): State => ({
  Type: 'Pass',
  Assign: {
    minutesToTraffic:
      '{% $minutesToTraffic != null ? $minutesToTraffic : $round(($millis() - $startedAt) / 60000, 1) %}',
  },
  Next: next,
});

function announcingTraffic(props: RecoveryDefinitionProps, next: string): States {
  const say = 'Report that traffic flows';
  return {
    'Note that traffic flows': noted(say),
    [say]: announcing(
      props,
      RECOVERY_EVENTS.trafficRestored,
      {
        recoveredInstance: '{% $recovered %}',
        minutesToTraffic: '{% $minutesToTraffic %}',
        targetMinutes: props.targetMinutes,
      },
      next,
    ),
  };
}

/** States that give the proxy another target, and wait until it sends traffic there. */
function serving(
  { proxyName, targetMinutes }: RecoveryDefinitionProps,
  names: { readonly give: string; readonly wait: string },
  instance: string,
  next: string,
): States {
  const look = `${names.wait}: look`;
  const judge = `${names.wait}: judge`;
  const begun = waitingIn(names.wait, targetMinutes);
  return {
    [names.give]: rdsTask('registerDBProxyTargets', CUTTING_OVER, {
      Arguments: targetOf(proxyName, instance),
      Catch: [{ ErrorEquals: [REGISTERED_ALREADY], ...begun }],
      ...begun,
    }),
    [names.wait]: { Type: 'Wait', Seconds: RECOVERY_POLICY.pollSeconds, Next: look },
    [look]: rdsTask('describeDBProxyTargets', CUTTING_OVER, {
      Arguments: { DbProxyName: proxyName, TargetGroupName: 'default' },
      Output: '{% {"health": [$states.result.Targets.TargetHealth]} %}',
      Retry: RETRY_READS,
      Next: judge,
    }),
    [judge]: {
      Type: 'Choice',
      Choices: [
        { Condition: "{% 'AVAILABLE' in $states.input.health.State %}", Next: next },
        failsWhen(IS_LATE, CUTTING_OVER, {
          error: 'ProxyNotServing',
          cause: `'the proxy does not reach its target after ${targetMinutes} minutes: ' & $string($states.input.health)`,
        }),
      ],
      Default: names.wait,
    },
  };
}

const targetOf = (proxyName: string | undefined, instance: string): State => ({
  DbProxyName: proxyName,
  TargetGroupName: 'default',
  DbInstanceIdentifiers: [instance],
});

/** A target that is taken from the proxy, or was not there. */
const taken = (proxyName: string | undefined, instance: string, next: string): State =>
  rdsTask('deregisterDBProxyTargets', CUTTING_OVER, {
    Arguments: targetOf(proxyName, instance),
    Catch: [{ ErrorEquals: [NOT_REGISTERED], Next: next }],
    Next: next,
  });

/**
 * With a proxy: traffic follows its target, within minutes of the confirmation and whatever state the old instance is in.
 * The names follow afterwards, for what connects directly.
 */
function throughTheProxy(props: RecoveryDefinitionProps): States {
  const { settings, proxyName, targetMinutes } = props;
  const id = settings.instanceIdentifier;
  const give = 'Give the recovered instance to the proxy';
  const take = 'Take the recovered instance from the proxy';
  return {
    'Begin the cut-over': { Type: 'Pass', Next: 'Take the old instance from the proxy' },
    'Take the old instance from the proxy': taken(proxyName, id, 'Begin to set the old instance aside'),
    'Begin to set the old instance aside': {
      Type: 'Task',
      Comment: 'One attempt, so that functions which connect directly stop writing to it. Repeated once traffic flows',
      Resource: rds('modifyDBInstance'),
      Arguments: { DbInstanceIdentifier: id, NewDBInstanceIdentifier: '{% $former %}', ApplyImmediately: true },
      Catch: [{ ErrorEquals: ['States.ALL'], Next: give }],
      Next: give,
    },
    ...serving(props, { give, wait: 'Wait until the proxy serves it' }, '{% $recovered %}', 'Note that traffic flows'),
    ...announcingTraffic(props, 'Allow time to free the name'),
    'Allow time to free the name': { Type: 'Pass', ...waitingIn('Look at the old instance', targetMinutes) },
    ...freeingTheName(props),
    'Ask when to take the name': {
      Type: 'Task',
      Comment:
        'Traffic pauses while the instance is renamed, so the operator chooses the moment; it goes on after a day',
      Resource: 'arn:aws:states:::events:putEvents.waitForTaskToken',
      TimeoutSeconds: RECOVERY_POLICY.renameDelayHours * 60 * 60,
      Arguments: eventOf(props, RECOVERY_EVENTS.nameRequested, {
        recoveredInstance: '{% $recovered %}',
        instance: id,
        minutesToTraffic: '{% $minutesToTraffic %}',
        taskToken: '{% $states.context.Task.Token %}',
      }),
      Catch: [{ ErrorEquals: ['States.Timeout'], Next: take }, ...explained(CUTTING_OVER)],
      Next: take,
    },
    [take]: taken(proxyName, '{% $recovered %}', 'Take the name'),
    ...takingTheName(props),
    ...serving(
      props,
      { give: 'Give the renamed instance to the proxy', wait: 'Wait until the proxy serves it by its name' },
      id,
      ERASE_LAST,
    ),
  };
}

/** Without a proxy the name is the address: traffic flows after two renames. */
function byTheName(props: RecoveryDefinitionProps): States {
  return {
    'Begin the cut-over': { Type: 'Pass', ...waitingIn('Look at the old instance', props.targetMinutes) },
    ...freeingTheName(props),
    ...takingTheName(props),
    ...announcingTraffic(props, ERASE_LAST),
  };
}

/** From the confirmation to an instance that replaces the old one under its name. */
export function cutOverStates(props: RecoveryDefinitionProps): States {
  const { settings, proxyName } = props;
  return {
    ...(proxyName === undefined ? byTheName(props) : throughTheProxy(props)),
    // Until the name was free, an erasure reached the former instance.
    ...erasingAgain(ERASE_LAST, props, SWITCHED, 'Look for the former instance'),
    // It was not set aside where it did not exist any more, such as one that was deleted by mistake.
    'Look for the former instance': rdsTask('describeDBInstances', SWITCHED, {
      Arguments: { DbInstanceIdentifier: '{% $former %}' },
      Retry: RETRY_READS,
      Catch: [{ ErrorEquals: [NOT_FOUND], Assign: { former: null }, Next: 'Report the end' }],
      Next: 'Report the end',
    }),
    'Report the end': announcing(
      props,
      RECOVERY_EVENTS.completed,
      {
        instance: settings.instanceIdentifier,
        formerInstance: '{% $former %}',
        keeps:
          "{% $former = null ? 'The former one was not there any more when the name was taken' : 'The former one is kept as ' & $former & ', and costs as much as the one in use until it is deleted' %}",
        minutesToTraffic: '{% $minutesToTraffic %}',
      },
      'Recovered',
    ),
    Recovered: {
      Type: 'Succeed',
      Output: {
        instance: settings.instanceIdentifier,
        former: '{% $former %}',
        minutesToTraffic: '{% $minutesToTraffic %}',
        targetMinutes: props.targetMinutes,
        verification: '{% $report %}',
        warming: '{% $warmed %}',
      },
    },
  };
}
