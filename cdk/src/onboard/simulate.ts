/** IAM's own answer to whether a role may do something: no reading of policies, which may be attached, bounded, or denied elsewhere. */

import { type ContextEntry, type IAMClient, SimulatePrincipalPolicyCommand } from '@aws-sdk/client-iam';

export interface Question {
  readonly action: string;
  readonly resource: string;
  /** Keys of the request with several values. */
  readonly context?: Readonly<Record<string, string[]>>;
}

export async function simulate(role: string, question: Question, iam: IAMClient): Promise<{ allowed: boolean; by: string }> {
  const ContextEntries = Object.entries(question.context ?? {}).map(
    ([ContextKeyName, ContextKeyValues]): ContextEntry => ({ ContextKeyName, ContextKeyValues, ContextKeyType: 'stringList' }),
  );
  const answer = await iam.send(
    new SimulatePrincipalPolicyCommand({
      PolicySourceArn: role,
      ActionNames: [question.action],
      ResourceArns: [question.resource],
      ContextEntries,
    }),
  );
  const by = answer.EvaluationResults?.[0]?.EvalDecision ?? 'nothing';
  return { allowed: by === 'allowed', by };
}
