/** Names that others rely on: workload accounts, operators' commands, the handlers' own defaults. Never rename one. */

export const BUS = 'fargate-spot-bus';
export const TABLE = 'ecs_cp_restore_state';
export const DUE_INDEX = 'due';

export const PLACEMENT_FAILURE_QUEUE = 'fargate-spot-placement-failure-queue';
export const INTERRUPTION_QUEUE = 'fargate-spot-interruption-queue';

export const PLACEMENT_FAILURE_HANDLER = 'fargate-spot-task-placement-failure-handler';
export const INTERRUPTION_HANDLER = 'fargate-spot-interruption-handler';
export const RESTORE_HANDLER = 'fargate-spot-restore-handler';
export const HANDLERS = [PLACEMENT_FAILURE_HANDLER, INTERRUPTION_HANDLER, RESTORE_HANDLER] as const;

/** The role in every workload account. */
export const WORKLOAD_ROLE = 'CentralSpotAutomationRole';

/** Dead-letter queue of a queue. */
export const dlqOf = (queue: string): string => `${queue.replace(/-queue$/, '')}-dlq`;

/** A handler's role. Roles are global, cells are regional: the region keeps the roles of two cells of one account apart. */
export const roleOf = (handler: string, region: string): string => `${handler}-${region}`;
