"""What the deployment made, as its stacks' outputs tell."""

from dataclasses import dataclass

from local.aws import Aws
from local.project import Project


@dataclass(frozen=True)
class Resources:
    """Names of the deployed resources of one channel, and of those that the channels share."""

    queue_url: str
    dead_letter_queue_url: str
    function: str
    log_group: str
    dashboard: str
    table: str
    topic_arn: str

    @classmethod
    def deployed(cls, aws: Aws, project: Project, channel: str) -> "Resources":
        """Read the outputs of the project's stacks.

        Args:
            aws: where the stacks are.
            project: the app that they are of.
            channel: the channel's name.

        Raises:
            KeyError: a stack no longer has an output that is used here.
        """
        shared = _outputs(aws, project.shared_stack)
        own = _outputs(aws, project.channel_stacks[channel])
        return cls(
            queue_url=own["QueueUrl"],
            dead_letter_queue_url=own["DeadLetterQueueUrl"],
            function=own["FunctionName"],
            log_group=own["LogGroupName"],
            dashboard=own["DashboardUrl"].rpartition("/")[2],
            table=shared["TableName"],
            topic_arn=shared["TopicArn"],
        )


def _outputs(aws: Aws, stack: str) -> dict[str, str]:
    (description,) = aws.cloudformation.describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in description["Outputs"]}
