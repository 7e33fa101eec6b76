/** `onboard check`: what is there is said, what is missing has its remedy, and nothing is written. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import * as fs from 'node:fs';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import * as path from 'node:path';
import { beforeEach, test } from 'node:test';
import { DescribeRuleCommand, EventBridgeClient, ListTargetsByRuleCommand } from '@aws-sdk/client-eventbridge';
import { GetRoleCommand, IAMClient, SimulatePrincipalPolicyCommand } from '@aws-sdk/client-iam';
import { DescribeOrganizationCommand, OrganizationsClient } from '@aws-sdk/client-organizations';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { mockClient } from 'aws-sdk-client-mock';
import { checkCell } from '../src/cell.ts';
import { CheckError, type Finding, check } from '../src/onboard/check.ts';
import { eventPattern } from '../src/patterns.ts';
import { report } from '../src/onboard/report.ts';
import { DEV, PROD } from './fixture.ts';

const ACCOUNT = '111111111111';
const CENTRAL = '999999999999';
const BUS = `arn:aws:events:eu-west-1:${CENTRAL}:event-bus/fargate-spot-bus`;
const config = { region: 'eu-west-1', credentials: { accessKeyId: 'a', secretAccessKey: 's' } };
const clients = {
  sts: new STSClient(config), iam: new IAMClient(config), events: new EventBridgeClient(config), organizations: new OrganizationsClient(config),
};
const mocks = {
  sts: mockClient(clients.sts), iam: mockClient(clients.iam), events: mockClient(clients.events), organizations: mockClient(clients.organizations),
};

const error = (name: string): Error => Object.assign(new Error(`${name} happened`), { name });
const role = (RoleName: string, trust: object): object => ({
  Role: { RoleName, Arn: `arn:aws:iam::${ACCOUNT}:role/${RoleName}`, AssumeRolePolicyDocument: encodeURIComponent(JSON.stringify({ Statement: [trust] })) },
});
const trusting = (more: object = {}): object => ({
  Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: `arn:aws:iam::${CENTRAL}:root` },
  Condition: { ArnLike: { 'aws:PrincipalArn': ['task-placement-failure', 'interruption', 'restore'].map((name) => `arn:aws:iam::${CENTRAL}:role/fargate-spot-${name}-handler-*`) }, ...more },
});

/** An account that has everything; the tests take things away. */
beforeEach(() => {
  for (const mock of Object.values(mocks)) mock.reset();
  mocks.sts.on(GetCallerIdentityCommand).resolves({ Account: ACCOUNT, Arn: `arn:aws:iam::${ACCOUNT}:user/me` });
  mocks.organizations.on(DescribeOrganizationCommand).resolves({ Organization: { Id: 'o-exampleorg1' } });
  mocks.iam.on(GetRoleCommand, { RoleName: 'CentralSpotAutomationRole' }).resolves(role('CentralSpotAutomationRole', trusting()) as any);
  mocks.iam.on(GetRoleCommand, { RoleName: 'forwarding' }).resolves(
    role('forwarding', { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'events.amazonaws.com' } }) as any,
  );
  mocks.iam.on(SimulatePrincipalPolicyCommand).callsFake((input) => {
    const other = JSON.stringify(input.ContextEntries).includes('/another');
    return { EvaluationResults: [{ EvalActionName: input.ActionNames[0], EvalDecision: other ? 'implicitDeny' : 'allowed' }] };
  });
  mocks.events.on(DescribeRuleCommand).resolves({ State: 'ENABLED', EventPattern: JSON.stringify(eventPattern('workload-forwarding')) });
  mocks.events.on(ListTargetsByRuleCommand).resolves({
    Targets: [{ Id: 'central-bus', Arn: BUS, RoleArn: `arn:aws:iam::${ACCOUNT}:role/forwarding` }],
  });
});

const look = (cell: object = PROD): Promise<Finding[]> => check(ACCOUNT, checkCell(cell), clients);

/** The one finding that is not `there`. */
async function only(state: Finding['state'], cell: object = PROD): Promise<Finding> {
  const open = (await look(cell)).filter((finding) => finding.state !== 'there');
  assert.equal(open.length, 1, JSON.stringify(open));
  assert.equal(open[0]!.state, state);
  return open[0]!;
}

test('an account that has everything is found to have it, by reading alone', async () => {
  const findings = await look();
  assert.deepEqual(findings.filter(({ state }) => state !== 'there'), []);
  assert.equal(findings.length, 16);
  const called = Object.values(mocks).flatMap((mock) => mock.calls().map((call: any) => call.args[0].constructor.name));
  for (const name of called) assert.match(name, /^(Get|Describe|List|Simulate)/);
});

test('credentials of another account, or none, end the check', async () => {
  mocks.sts.on(GetCallerIdentityCommand).resolves({ Account: '222222222222' });
  await assert.rejects(look(), new CheckError('the credentials are those of account 222222222222; set --profile to one of account 111111111111'));
  mocks.sts.on(GetCallerIdentityCommand).rejects(new Error('expired'));
  await assert.rejects(look(), /cannot ask who the credentials belong to: expired; set --profile/);
  mocks.sts.on(GetCallerIdentityCommand).rejects(Object.assign(new Error('nobody there'), { code: 'ECONNREFUSED' }));
  await assert.rejects(look(), /cannot ask who the credentials belong to: nobody there; see to the network, or to --endpoint-url/);
});

test('an account that the cell does not admit', async () => {
  mocks.organizations.on(DescribeOrganizationCommand).resolves({ Organization: { Id: 'o-anotherorg1' } });
  assert.match((await only('missing')).because!, /o-anotherorg1, the cell's is o-exampleorg1/);
  mocks.organizations.on(DescribeOrganizationCommand).rejects(error('AWSOrganizationsNotInUseException'));
  assert.match((await only('missing')).because!, /in no organization/);
  mocks.organizations.on(DescribeOrganizationCommand).rejects(error('AccessDeniedException'));
  assert.match((await only('unknown')).because!, /AccessDenied/);
  const listed = { ...DEV, region: 'eu-west-1', accounts: ['222222222222'], syntheticFrom: [] };
  assert.match((await only('missing', listed)).because!, /add "111111111111" to its "accounts"/);
});

test('no role', async () => {
  mocks.iam.on(GetRoleCommand, { RoleName: 'CentralSpotAutomationRole' }).rejects(error('NoSuchEntityException'));
  const { what, because } = await only('missing');
  assert.equal(what, 'step 1: role CentralSpotAutomationRole');
  assert.match(because!, /step 1/);
});

test('a role that the handlers may not assume', async () => {
  const trust = (statement: object) =>
    mocks.iam.on(GetRoleCommand, { RoleName: 'CentralSpotAutomationRole' }).resolves(role('CentralSpotAutomationRole', statement) as any);
  const missing = async (cell: object = PROD): Promise<string[]> =>
    (await look(cell)).filter(({ state }) => state === 'missing').map(({ because }) => because!);
  trust({ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: '888888888888' } });
  assert.equal((await missing()).length, 3);
  assert.match((await missing())[0]!, /does not name account 999999999999/);
  trust(trusting({ StringEquals: { 'sts:ExternalId': 'secret' } }));
  assert.match((await missing())[0]!, /external id that is not the "externalId"/);
  assert.deepEqual(await missing({ ...PROD, externalId: 'secret' }), []);
  trust({ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: CENTRAL } });
  assert.deepEqual(await missing(), []);
});

test('a role that may do too little, or too much', async () => {
  mocks.iam.on(SimulatePrincipalPolicyCommand, { ActionNames: ['ecs:DescribeServices'] }).resolves({
    EvaluationResults: [{ EvalActionName: 'ecs:DescribeServices', EvalDecision: 'implicitDeny' }],
  });
  assert.deepEqual(await only('missing'), {
    what: 'step 2: it may look at services', state: 'missing',
    because: "IAM's simulation says implicitDeny; put the policy of docs/onboarding.md, step 2",
  });
  mocks.iam.on(SimulatePrincipalPolicyCommand).resolves({ EvaluationResults: [{ EvalActionName: 'any', EvalDecision: 'allowed' }] });
  assert.match((await only('missing')).what, /may not move them to other capacity providers/);
});

test('no rule: then nobody knows which account is the central one, unless the cell says so', async () => {
  mocks.events.on(DescribeRuleCommand).rejects(error('ResourceNotFoundException'));
  const states = (await look()).filter(({ state }) => state !== 'there').map(({ state }) => state);
  assert.deepEqual(states, ['unknown', 'unknown', 'unknown', 'missing']);
  assert.match((await only('missing', { ...PROD, account: CENTRAL })).because!, /step 3/);
});

test('a rule that is off, has another pattern, or leads elsewhere', async () => {
  mocks.events.on(DescribeRuleCommand).resolves({ State: 'DISABLED', EventPattern: JSON.stringify(eventPattern('workload-forwarding')) });
  assert.match((await only('missing')).because!, /aws events enable-rule/);
  mocks.events.on(DescribeRuleCommand).resolves({ State: 'ENABLED', EventPattern: JSON.stringify(eventPattern('interruption')) });
  assert.match((await only('missing')).what, /pattern/);
  mocks.events.on(DescribeRuleCommand).resolves({ State: 'ENABLED', EventPattern: JSON.stringify(eventPattern('workload-forwarding')) });
  mocks.events.on(ListTargetsByRuleCommand).resolves({ Targets: [{ Id: 'x', Arn: BUS }] });
  assert.match((await only('missing')).because!, /may not send to another account/);
  mocks.events.on(ListTargetsByRuleCommand).resolves({
    Targets: [{ Id: 'x', Arn: BUS.replace('eu-west-1', 'us-east-1'), RoleArn: `arn:aws:iam::${ACCOUNT}:role/forwarding` }],
  });
  assert.match((await only('missing')).because!, /leave the region/);
  mocks.events.on(ListTargetsByRuleCommand).resolves({
    Targets: [{ Id: 'x', Arn: BUS, RoleArn: `arn:aws:iam::${ACCOUNT}:role/forwarding` }],
  });
  const central = (await look({ ...PROD, account: '888888888888' })).filter(({ state }) => state === 'missing');
  assert.equal(central.at(-1)!.what, 'step 3: it is the bus of the central account 888888888888');
});

test('a forwarding role that is gone, or that EventBridge may not assume', async () => {
  mocks.iam.on(GetRoleCommand, { RoleName: 'forwarding' }).rejects(error('NoSuchEntityException'));
  assert.match((await only('missing')).because!, /does not exist/);
  mocks.iam.on(GetRoleCommand, { RoleName: 'forwarding' }).resolves(role('forwarding', trusting()) as any);
  assert.match((await only('missing')).because!, /does not name events.amazonaws.com/);
});

test('what may not be looked at is not known, which is not the same as there', async () => {
  mocks.iam.on(SimulatePrincipalPolicyCommand).rejects(error('AccessDenied'));
  const open = (await look()).filter(({ state }) => state !== 'there');
  assert.deepEqual([...new Set(open.map(({ state }) => state))], ['unknown']);
  assert.equal(open.length, 4);
});

test('the exit code says whether all is there, and docs/onboarding.md shows the list as it is', async () => {
  assert.equal(report(ACCOUNT, checkCell(PROD), await look()).exitCode, 0);
  mocks.iam.on(GetRoleCommand, { RoleName: 'forwarding' }).rejects(error('NoSuchEntityException'));
  const { text, exitCode } = report(ACCOUNT, checkCell(PROD), await look());
  assert.equal(exitCode, 1);
  const file = path.join(import.meta.dirname, '../../docs/onboarding.md');
  const page = fs.readFileSync(file, 'utf8');
  const block = /```text\n(account [\s\S]*?)\n```/;
  if (process.env.ACCEPT) fs.writeFileSync(file, page.replace(block, () => `\`\`\`text\n${text}\n\`\`\``));
  assert.equal(fs.readFileSync(file, 'utf8').match(block)![1], text);
});

test('the program asks the endpoint it is given, and ends with exit code 2 where it cannot check', async () => {
  const sts = http.createServer((_, answer) => {
    answer.setHeader('Content-Type', 'text/xml');
    answer.end(`<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
      <Account>222222222222</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`);
  });
  await new Promise<void>((listening) => sts.listen(0, '127.0.0.1', listening));
  const { port } = sts.address() as AddressInfo;
  const program = path.join(import.meta.dirname, '../src/onboard/main.ts');
  const run = (...more: string[]): Promise<{ code: unknown; stderr: string }> =>
    new Promise((ended) => {
      const env = { PATH: process.env.PATH, AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 's', AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' };
      const options = { cwd: path.join(import.meta.dirname, '..'), env };
      execFile(process.execPath, ['--import', 'tsx', program, ...more], options, (error, _, stderr) => ended({ code: error?.code, stderr }));
    });
  const [asked, misspelt] = await Promise.all([
    run('--account', ACCOUNT, '--region', 'eu-west-1', '--endpoint-url', `http://127.0.0.1:${port}`),
    run('--acount', ACCOUNT),
  ]);
  sts.close();
  const message = 'error: the credentials are those of account 222222222222; set --profile to one of account 111111111111\n';
  assert.deepEqual(asked, { code: 2, stderr: message });
  assert.equal(misspelt.code, 2);
  assert.match(misspelt.stderr, /^error: Unknown option '--acount'[^]*\nusage: cargo xtask onboard check/);
});
