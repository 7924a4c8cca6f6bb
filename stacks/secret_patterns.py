"""Which secrets a prefix stands for, as a policy spells them."""

ARN_SUFFIX = "-??????"
"""The six random characters that Secrets Manager puts behind the name in a secret's ARN."""


def readable(prefix: str) -> tuple[str, ...]:
    """Return the names of the secrets within a prefix, as a policy's patterns behind `:secret:`.

    Args:
        prefix: One that ends in a slash stands for what is below it, another one also for itself.
    """
    below = f"{prefix.rstrip('/')}/*"
    return (below,) if prefix.endswith("/") else (f"{prefix}{ARN_SUFFIX}", below)
