"""Functions on a LocalStack of the host, as boto3 sees them: run by tests/host.rs with the address as its argument.

The function is a script that does what an event's `do` says; it stands in for a `bootstrap` of any language.
"""

import io
import json
import os
import sys
import time
import urllib.request
import zipfile

import boto3

URL = sys.argv[1]
ROLE = "arn:aws:iam::000000000000:role/function"
BOOTSTRAP = f"""#!{sys.executable}
import http.client, json, os, time
api, path = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"]), "/2018-06-01/runtime/"
def call(method, what, body=None):
    api.request(method, path + what, body)
    answer = api.getresponse()
    return answer.headers, answer.read()
while True:
    headers, event = call("GET", "invocation/next")
    event = json.loads(event)
    whats = [json.loads(record["body"])["do"] for record in event.get("Records", [])] or [event["do"]]
    print("doing", whats, flush=True)
    answers = [eval(what) for what in whats]
    answer = {{"batchItemFailures": []}} if "Records" in event else answers[0]
    call("POST", "invocation/" + headers["Lambda-Runtime-Aws-Request-Id"] + "/response", json.dumps(answer))
"""


def client(service):
    return boto3.client(
        service, region_name="eu-west-1", endpoint_url=URL, aws_access_key_id="000000000000", aws_secret_access_key="x"
    )


functions, queues, logs = client("lambda"), client("sqs"), client("logs")


def create(name, timeout):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("bootstrap", BOOTSTRAP)
    code = {"ZipFile": file.getvalue()}
    functions.create_function(
        FunctionName=name, Runtime="provided.al2023", Handler="bootstrap", Role=ROLE, Code=code, Timeout=timeout
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})


def invoke(name, what):
    answer = functions.invoke(FunctionName=name, Payload=json.dumps({"do": what}))
    return json.load(answer["Payload"]), answer.get("FunctionError")


def environments(name):
    with urllib.request.urlopen(f"{URL}/_host/environments") as answer:
        return [environment for environment in json.load(answer) if environment["function"] == name]


def until(what, condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.05)


# The variables of every function, and the end of one that takes too long; the next invocation has a process of its own.
create("plain", timeout=1)
pid, error = invoke("plain", "os.getpid()")
assert error is None and environments("plain")[0]["pid"] == pid and environments("plain")[0]["requestId"] is None
assert invoke("plain", "os.environ['OF_EVERY_FUNCTION']") == ("it's here", None)
answer, error = invoke("plain", "time.sleep(60)")
assert error == "Unhandled" and answer["errorType"] == "Sandbox.Timedout", answer
assert "Task timed out after 1.00 seconds" in answer["errorMessage"], answer
answer, error = invoke("plain", "os._exit(3)")
assert answer["errorType"] == "Runtime.ExitError", answer
assert invoke("plain", "os.getpid()")[0] != pid

# The log of the four.
group = "/aws/lambda/plain"


def lines():
    events = logs.filter_log_events(logGroupName=group)["events"]
    return [event["message"].strip() for event in events]


until("all invocations are in the log", lambda: sum(line.startswith("REPORT") for line in lines()) == 5)
for start in ("START RequestId: ", "doing ", "END RequestId: ", "REPORT RequestId: "):
    assert any(line.startswith(start) for line in lines()), (start, lines())
assert any("Status: timeout" in line for line in lines()) and any("Init Duration" in line for line in lines())

# 200 messages that take half a second for each ten: 10 s one after the other, and here several at once.
create("many", timeout=10)
url = queues.create_queue(QueueName="many", Attributes={"VisibilityTimeout": "2"})["QueueUrl"]
functions.create_event_source_mapping(
    FunctionName="many",
    EventSourceArn="arn:aws:sqs:eu-west-1:000000000000:many",
    BatchSize=10,
    FunctionResponseTypes=["ReportBatchItemFailures"],
    ScalingConfig={"MaximumConcurrency": 20},
)


def left():
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = queues.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(map(int, counts.values()))


def send(number, what):
    for _ in range(0, number, 10):
        entries = [{"Id": str(i), "MessageBody": json.dumps({"do": what})} for i in range(min(number, 10))]
        queues.send_message_batch(QueueUrl=url, Entries=entries)


send(200, "time.sleep(0.05)")
most = 0
end = time.monotonic() + 30
while left():
    most = max(most, sum(environment["requestId"] is not None for environment in environments("many")))
    assert time.monotonic() < end, f"{left()} messages are left"
    time.sleep(0.05)
assert most > 3, f"no more than {most} batches at once"

# A process that is killed in the middle of a message: the message comes back, and another process does it.
proof = os.path.join(os.environ["JOURNEY_DIRECTORY"], "done")
send(1, f"time.sleep(60) if not os.path.exists({proof!r}) else os.rename({proof!r}, {proof + '.twice'!r})")
until("a process works on it", lambda: any(environment["requestId"] for environment in environments("many")))
victim = next(environment for environment in environments("many") if environment["requestId"])
open(proof, "w").close()
os.kill(victim["pid"], 9)
until("the message was done again", lambda: os.path.exists(proof + ".twice"))
until("the queue is empty", lambda: left() == 0)
print("functions run, end and come back")
