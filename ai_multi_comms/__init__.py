"""Channels on which an AI writes first messages: constructs of the AWS CDK, for any repository.

- `ai_multi_comms.constructs` is what an app's stacks are made of, at synth;
- `lambda_src` is what runs in the function, under the same name on a laptop and in Lambda.
"""
