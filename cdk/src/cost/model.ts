/** What a cell costs a month: prices, what a service does, and the sum. No free tier, no discount, nothing rounded down. */

/** A price or an assumption, as docs/cost.md lists it. */
export interface Given {
  readonly value: number;
  readonly unit: string;
  readonly why: string;
}

const given = (value: number, unit: string, why: string): Given => ({ value, unit, why });

const LAMBDA = 'https://aws.amazon.com/lambda/pricing/';
const SQS = 'https://aws.amazon.com/sqs/pricing/';
const EVENTBRIDGE = 'https://aws.amazon.com/eventbridge/pricing/';
const DYNAMODB = 'https://aws.amazon.com/dynamodb/pricing/on-demand/';
const CLOUDWATCH = 'https://aws.amazon.com/cloudwatch/pricing/';

/** US dollars in us-east-1. */
export const PRICES = {
  lambdaGbSecond: given(0.0000133334, '$ per GB-second, arm64', LAMBDA),
  lambdaRequest: given(0.2e-6, '$ per request', LAMBDA),
  sqsRequest: given(0.4e-6, '$ per request, standard queue', SQS),
  event: given(1e-6, '$ per custom event, and per event sent to another account, which the sender pays', EVENTBRIDGE),
  write: given(0.625e-6, '$ per write request unit of 1 KB', DYNAMODB),
  read: given(0.125e-6, '$ per read request unit of 4 KB; half for an eventually consistent read', DYNAMODB),
  storage: given(0.25 + 0.2, '$ per GB and month, with point-in-time recovery', DYNAMODB),
  log: given(0.5 + 0.03, '$ per GB of logs taken in, and kept a month', CLOUDWATCH),
  metricHour: given(0.3 / 730, '$ per custom metric and hour in which it was sent: $0.30 a month', CLOUDWATCH),
  alarm: given(0.1, '$ per metric of an alarm and month', CLOUDWATCH),
  dashboard: given(3, '$ per dashboard and month', CLOUDWATCH),
} as const;

/** What a service does and what the code does about it. */
export const ASSUMPTIONS = {
  hours: given(730, 'hours a month', 'as AWS bills'),
  taskLives: given(5, 'Spot tasks started and stopped per service and day', 'five tasks, each replaced daily by a deployment or an interruption'),
  eventsPerTask: given(3, 'events forwarded per task', 'RUNNING, RUNNING with desired status STOPPED, STOPPED'),
  episodesPerService: given(1, 'failovers with restore per service and month', 'one outage a month hits everything'),
  transitions: given(5, 'transitions, so audit events and metrics, per episode', 'FailingOver, OnDemand, Restoring, Watching, one failed restore in some'),
  looksPerEpisode: given(30, 'looks per episode at the pace of what moves', '2 h and a bit, every 5 minutes'),
  watchMinutes: given(10, 'minutes between two looks at a service that runs in full', 'watch_interval'),
  sweepMinutes: given(5, 'minutes between two sweeps', 'the schedule in prod'),
  shards: given(16, 'queries per sweep', 'one per shard of the index `due`'),
  itemKb: given(1, 'KB per record', 'a watched service has no event in its record'),
  writesPerPut: given(3, 'write units per record written', 'the table, and the index twice: its sort key changes'),
  eventReads: given(1, 'consistent reads per event', 'the record; most events say nothing new, and need no other call'),
  eventSeconds: given(0.1, 'seconds per event', 'a call or two; one event a batch'),
  turnsPerTask: given(1, 'events per task that need a look', 'half of the tasks are interrupted, which two events say; a deployment\'s say nothing new'),
  turnReads: given(1, 'consistent reads per turn', 'each look for an event, and each transition, has a turn of its own: one event a batch'),
  turnWrites: given(2, 'write units per turn', 'it is taken and given back; it is not in the index'),
  turnQueries: given(1, 'queries of the index per turn', 'what others have marked meanwhile'),
  turnSeconds: given(0.2, 'seconds per turn', 'four more calls, one after another'),
  lookSeconds: given(0.02, 'seconds per service looked at', 'a tenth of a DescribeServices, and a write'),
  accountsAtOnce: given(256, 'accounts swept side by side at most', 'ACCOUNTS_AT_ONCE in handlers/src/reconcile/sweep.rs'),
  memoryGb: given(0.25, 'GB per function', 'cdk/src/functions.ts'),
  eventLogKb: given(1.5, 'KB of log per invocation', 'Lambda\'s three lines, one of ours'),
  transitionLogKb: given(3, 'KB of log per transition', 'a line, a metric, the audit event'),
  idlePolls: given(15, 'receives a minute of an idle queue', 'five pollers (aws-facts.md §6) that wait 20 s each, the longest SQS allows'),
} as const;

const P = Object.fromEntries(Object.entries(PRICES).map(([key, { value }]) => [key, value])) as Record<keyof typeof PRICES, number>;
const A = Object.fromEntries(Object.entries(ASSUMPTIONS).map(([key, { value }]) => [key, value])) as Record<keyof typeof ASSUMPTIONS, number>;

export interface Fleet {
  readonly services: number;
  readonly accounts: number;
  /** Metrics of all alarms of a cell. */
  readonly alarmMetrics: number;
}

/** Dollars a month by what is paid for. */
export function costOf(fleet: Fleet): Record<string, number> {
  const { services, accounts, alarmMetrics } = fleet;
  const minutes = A.hours * 60;
  const events = services * A.taskLives * A.eventsPerTask * (A.hours / 24);
  const sweeps = minutes / A.sweepMinutes;
  const episodes = services * A.episodesPerService;
  const transitions = episodes * A.transitions;
  const turns = services * A.taskLives * A.turnsPerTask * (A.hours / 24) + transitions;
  const looks = (services * minutes) / A.watchMinutes + episodes * A.looksPerEpisode;
  // Accounts go side by side, and here all are of one size.
  const sweepSeconds = (looks / Math.min(accounts, A.accountsAtOnce)) * A.lookSeconds + sweeps * A.eventSeconds;
  const kb = 1 / 1e6;
  // A metric costs for each hour in which it was sent: in all, and by account.
  const metricHours = Math.min(transitions, accounts * A.transitions * A.hours) + Math.min(transitions, A.transitions * A.hours);
  return {
    'Lambda': (events + sweeps) * P.lambdaRequest + (events * A.eventSeconds + turns * A.turnSeconds + sweepSeconds) * A.memoryGb * P.lambdaGbSecond,
    'SQS': (events * 3 + 2 * A.idlePolls * minutes) * P.sqsRequest,
    'EventBridge, central account': transitions * P.event,
    'EventBridge, workload accounts': events * P.event,
    'DynamoDB': ((looks + transitions) * A.writesPerPut * A.itemKb + turns * A.turnWrites) * P.write
      + (events * A.eventReads + turns * A.turnReads + (sweeps * A.shards + turns * A.turnQueries) / 2 + (looks * A.itemKb) / 8) * P.read
      + services * 2 * A.itemKb * kb * P.storage,
    'CloudWatch logs': ((events + sweeps) * A.eventLogKb + transitions * A.transitionLogKb) * kb * P.log,
    'CloudWatch metrics': metricHours * P.metricHour,
    'CloudWatch alarms and dashboard': alarmMetrics * P.alarm + P.dashboard,
  };
}
