"""DynamoDB on moto (`PROVIDER_OVERRIDE_DYNAMODB=moto`). LocalStack's own is DynamoDB Local, a Java archive that it downloads at
first use and that no package registry has.

One call at a time: moto looks at the condition of a write and writes in two steps, so that of two writes at the same moment both could
hold. Of DynamoDB's, one does.
"""

import threading

from localstack.aws.skeleton import Skeleton
from localstack.aws.spec import load_service
from localstack.services.plugins import Service, aws_provider


def _on_moto(name: str) -> Service:
    from localstack.services.moto import call_moto

    one_at_a_time = threading.Lock()

    def answer(context, _request):
        with one_at_a_time:
            return call_moto(context)

    model = load_service(name)
    operations = {operation: answer for operation in model.operation_names}
    return Service(name=name, skeleton=Skeleton(model, operations))


@aws_provider(api="dynamodb", name="moto")
def dynamodb() -> Service:
    """DynamoDB."""
    return _on_moto("dynamodb")


@aws_provider(api="dynamodbstreams", name="moto")
def dynamodbstreams() -> Service:
    """DynamoDB Streams, which LocalStack wants from whoever is DynamoDB."""
    return _on_moto("dynamodbstreams")
