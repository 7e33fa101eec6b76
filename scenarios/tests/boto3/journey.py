"""An outage as boto3 sees it: run by tests/boto3.rs, with the address of the server as its argument."""

import datetime
import json
import sys
import time
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

URL = sys.argv[1]
WORKLOAD, CENTRAL = "111111111111", "000000000000"
ROLE = f"arn:aws:iam::{WORKLOAD}:role/CentralSpotAutomationRole"
# One attempt, so that what is refused or throttled is seen at once.
CONFIG = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20)
ORIGINAL = [
    {"capacityProvider": "FARGATE", "weight": 1, "base": 1},
    {"capacityProvider": "FARGATE_SPOT", "weight": 3, "base": 0},
]
FALLBACK = [
    {"capacityProvider": "FARGATE_SPOT", "weight": 0, "base": 0},
    {"capacityProvider": "FARGATE", "weight": 10, "base": 1},
]


def client(service, key, **session):
    return boto3.client(
        service, region_name="eu-west-1", endpoint_url=URL, config=CONFIG,
        aws_access_key_id=key, aws_secret_access_key=session.get("secret", "any"),
        aws_session_token=session.get("token"),
    )


def control(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{URL}/_simulator/{path}", data=data), timeout=20) as answer:
        return json.load(answer)


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error
    raise AssertionError(f"not refused with {code}: {arguments}")


def eventually(what, look):
    for _ in range(200):
        seen = look()
        if seen:
            return seen
        time.sleep(0.1)
    raise AssertionError(f"never seen: {what}")


def step(words):
    print(f"- {words}", flush=True)


ecs = client("ecs", WORKLOAD)
assert client("sts", WORKLOAD).get_caller_identity()["Account"] == WORKLOAD
step("the access key is the account")

ecs.create_cluster(clusterName="shop", capacityProviders=["FARGATE", "FARGATE_SPOT"])
ecs.put_cluster_capacity_providers(
    cluster="shop", capacityProviders=["FARGATE", "FARGATE_SPOT"], defaultCapacityProviderStrategy=[])
ecs.register_task_definition(
    family="cart", cpu="256", memory="512", networkMode="awsvpc", requiresCompatibilities=["FARGATE"],
    containerDefinitions=[{"name": "cart", "image": "cart:1"}])
begun = datetime.datetime.now(datetime.timezone.utc)
created = ecs.create_service(
    cluster="shop", serviceName="cart", taskDefinition="cart", desiredCount=5, capacityProviderStrategy=ORIGINAL,
    networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-a", "subnet-b"]}},
    tags=[{"key": "team", "value": "shop"}])["service"]
assert abs((created["createdAt"] - begun).total_seconds()) < 5, (created["createdAt"], begun)
ARN = created["serviceArn"]
stable = ecs.get_waiter("services_stable")
PATIENCE = {"Delay": 1, "MaxAttempts": 40}


def cart(of=None):
    return (of or ecs).describe_services(cluster="shop", services=["cart"], include=["TAGS"])["services"][0]


def providers():
    arns = ecs.list_tasks(cluster="shop", serviceName="cart")["taskArns"]
    tasks = ecs.describe_tasks(cluster="shop", tasks=arns)["tasks"] if arns else []
    return sorted(task["capacityProviderName"] for task in tasks if task["lastStatus"] == "RUNNING")


stable.wait(cluster="shop", services=["cart"], WaiterConfig=PATIENCE)
assert cart()["runningCount"] == 5 and cart()["tags"] == [{"key": "team", "value": "shop"}]
assert set(providers()) == {"FARGATE", "FARGATE_SPOT"}, providers()
assert ecs.get_paginator("list_services").paginate(cluster="shop").build_full_result()["serviceArns"] == [ARN]
assert ecs.describe_services(cluster="shop", services=["none"])["failures"][0]["reason"] == "MISSING"
step("a new service becomes stable on FARGATE and FARGATE_SPOT")

error = refused("InvalidParameterException", ecs.update_service, cluster="shop", service="cart",
                capacityProviderStrategy=FALLBACK)
assert error.response["Error"]["Message"].endswith("you must force a new deployment."), error
assert cart()["capacityProviderStrategy"] == ORIGINAL
step("a change of strategy without force is refused and changes nothing")

assert control("events?after=0")["lost"] == 0
control("spot", {"accounts": [WORKLOAD], "capacity": 0, "loss": "interrupt"})
short = eventually("the shortage", lambda: (lambda s: s["runningCount"] < 5 and s)(cart()))
assert short["desiredCount"] == 5
eventually("the placement failure", lambda: any("unable to place a task" in e["message"] for e in cart()["events"]))
assert set(providers()) == {"FARGATE"}
step("Spot is gone: the service is short and says why")


def events():
    after, found = 0, []
    while True:
        page = control(f"events?after={after}")
        if not page["events"]:
            return found
        after, found = page["next"], found + page["events"]


failures = eventually("its event", lambda: [e for e in events()
                                            if e["detail"].get("eventName") == "SERVICE_TASK_PLACEMENT_FAILURE"])
assert (failures[0]["account"], failures[0]["region"], failures[0]["resources"]) == (WORKLOAD, "eu-west-1", [ARN])
assert failures[0]["source"] == "aws.ecs" and failures[0]["detail-type"] == "ECS Service Action"
assert [e for e in events() if e["detail"].get("stopCode") == "SpotInterruption"]
step("the events of the world can be read")

sts = client("sts", CENTRAL)
control("role", {"accounts": [WORKLOAD], "role": "missing"})
refused("AccessDenied", sts.assume_role, RoleArn=ROLE, RoleSessionName="failover")
control("role", {"accounts": [WORKLOAD], "role": "present"})
session = sts.assume_role(RoleArn=ROLE, RoleSessionName="failover")["Credentials"]
assert session["Expiration"] > datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=55)
recovery = client("ecs", session["AccessKeyId"], secret=session["SecretAccessKey"], token=session["SessionToken"])
refused("AccessDeniedException", recovery.delete_service, cluster="shop", service="cart", force=True)
updated = recovery.update_service(cluster="shop", service="cart", capacityProviderStrategy=FALLBACK,
                                  forceNewDeployment=True)["service"]
assert updated["capacityProviderStrategy"] == FALLBACK
assert [d["status"] for d in updated["deployments"]][:2] == ["PRIMARY", "ACTIVE"]
stable.wait(cluster="shop", services=["cart"], WaiterConfig=PATIENCE)
assert providers() == ["FARGATE"] * 5, providers()
step("through the role the service is moved to On-Demand and becomes stable")

control("spot", {"accounts": [WORKLOAD], "capacity": "unlimited"})
recovery.update_service(cluster="shop", service="cart", capacityProviderStrategy=ORIGINAL, forceNewDeployment=True)
stable.wait(cluster="shop", services=["cart"], WaiterConfig=PATIENCE)
assert cart(recovery)["capacityProviderStrategy"] == ORIGINAL and "FARGATE_SPOT" in providers()
states = [d["status"] for d in ecs.list_service_deployments(cluster="shop", service="cart")["serviceDeployments"]]
assert len(states) == 3, states
step("Spot is back: the original strategy is restored exactly")

control("limits", {"update": [0, 0]})
refused("ThrottlingException", ecs.update_service, cluster="shop", service="cart", desiredCount=4)
control("limits", {"update": [50, 5]})
error = refused("NotImplemented", ecs.run_task, cluster="shop", taskDefinition="cart")
assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 501, error
step("an empty bucket throttles, and what is not served says so")

ecs.delete_service(cluster="shop", service="cart", force=True)
ecs.get_waiter("services_inactive").wait(cluster="shop", services=["cart"], WaiterConfig=PATIENCE)
step("a deleted service drains")
