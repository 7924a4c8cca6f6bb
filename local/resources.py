"""What the deployment made, as its stacks' outputs tell."""

from dataclasses import dataclass

from local.aws import Aws
from local.project import Project

CHANNEL = "whatsapp"


@dataclass(frozen=True)
class Resources:
    """Names of the deployed resources that the local cloud looks at."""

    queue_url: str
    dead_letter_queue_url: str
    function: str
    log_group: str
    dashboard: str
    table: str
    topic_arn: str

    @classmethod
    def deployed(cls, aws: Aws, project: Project) -> "Resources":
        """Read the outputs of the project's stacks.

        Raises:
            KeyError: a stack no longer has an output that is used here.
        """
        shared, channel = _outputs(aws, project.shared_stack), _outputs(aws, project.channel_stack)
        return cls(
            queue_url=channel["QueueUrl"],
            dead_letter_queue_url=channel["DeadLetterQueueUrl"],
            function=channel["FunctionName"],
            log_group=channel["LogGroupName"],
            dashboard=channel["DashboardUrl"].rpartition("/")[2],
            table=shared["TableName"],
            topic_arn=shared["TopicArn"],
        )


def _outputs(aws: Aws, stack: str) -> dict[str, str]:
    (description,) = aws.cloudformation.describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in description["Outputs"]}
